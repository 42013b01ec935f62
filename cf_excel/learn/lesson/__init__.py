"""The lesson's ways to train: a recipe for each kind of model, fastai's learner, and what they hand over."""
