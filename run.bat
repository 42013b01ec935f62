@echo off
rem Double click on Windows: makes a Python environment beside this file, once, and the lesson's workbooks.
rem run.bat COMMAND ... runs another command of cf_excel, such as: run.bat fill scores.xlsx --backup
setlocal DisableDelayedExpansion
set "TYPED=%CD%"
rem from a network path it gets a letter of its own, until popd
pushd "%~dp0"
if errorlevel 1 goto failed
set "HERE=%CD%"
set "OURS=%CD%\.venv\Scripts\python.exe"
if exist ".venv\installed" goto installed

set "MAKE=py -3"
%MAKE% -c "import sys; sys.exit(sys.version_info < (3, 11) or sys.maxsize < 2**32)" >nul 2>nul
if not errorlevel 1 goto make
set "MAKE=python"
%MAKE% -c "import sys; sys.exit(sys.version_info < (3, 11) or sys.maxsize < 2**32)" >nul 2>nul
if not errorlevel 1 goto make
echo There is no Python 3.11 or later for 64 bits: install one from https://www.python.org and run this again.
goto failed

:make
echo Making a Python environment, once, in "%HERE%\.venv": about 250 MB to download, some minutes
%MAKE% -m venv .venv
if errorlevel 1 goto failed
"%OURS%" -m pip install --disable-pip-version-check --quiet .
if errorlevel 1 goto failed
echo installed>".venv\installed"

:installed
if not "%~1"=="" goto command
"%OURS%" -m cf_excel build --out lesson
if errorlevel 1 goto failed
echo.
echo The lesson's workbooks are in "%HERE%\lesson": open collab_filter.xlsx in Excel.
popd
if not defined CF_EXCEL_NO_PAUSE pause
exit /b 0

:command
cd /d "%TYPED%"
"%OURS%" -m cf_excel %*
set "CODE=%errorlevel%"
popd
exit /b %CODE%

:failed
echo Not done: what is wrong stands above.
popd
if not defined CF_EXCEL_NO_PAUSE pause
exit /b 2
