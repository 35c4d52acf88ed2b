# A login shell forgets the image's PATH; a terminal of JupyterLab is one.
PATH=/opt/venv/bin:$PATH
