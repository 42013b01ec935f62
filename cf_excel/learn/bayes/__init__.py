"""Variational Bayes matrix factorization with features of users and movies."""
