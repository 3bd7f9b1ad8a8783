# Each target wraps the lines that README.md gives without make (on Windows, type those).
#
#   make demo   set up .venv and run `torchlinear demo`       make demo ARGS=--code
#   make test   set up .venv and run the tests                make test ARGS="tests/project -x"
#   make check  formatting, lint, types, import layers
#   make clean  remove .venv and what the tools leave behind
#
# pip's own settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, pip.conf ...) are honoured.
# For PyTorch without CUDA:  make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu

SHELL := /bin/sh
PYTHON ?= python3.13 python3.12 python3.11 python3 python
TORCH_INDEX ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

# A stamp is written when an installation is complete and holds the folder it was made in. Without one, in a
# moved folder or with its Python gone, .venv is broken or half made, and is made anew.
WHOLE := $(shell cat $(VENV)/.user $(VENV)/.dev 2>/dev/null | grep -qxF '$(CURDIR)' \
	&& $(BIN)/python -c 'import pip' 2>/dev/null && echo yes)
# The developer's installation is editable and serves the demo too.
READY := $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.user)

.PHONY: help demo test check clean remake
help:
	@sed -n 's/^#   //p' Makefile

demo: $(READY)
	@$(BIN)/torchlinear demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .numba_cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist

$(VENV)/.user: $(shell find src -type f -not -name '*.py[co]' -not -name '*.nb[ci]')
$(VENV)/.user: WHAT := .
$(VENV)/.user: SIZE := 450 MB, 1.8 GB on disk
$(VENV)/.dev: WHAT := -e '.[dev]'
$(VENV)/.dev: SIZE := 600 MB, 2.3 GB on disk
$(VENV)/.user $(VENV)/.dev: pyproject.toml constraints.txt $(if $(WHOLE),,remake)
	@$(if $(WHOLE),echo 'Updating $(VENV): pip downloads what is missing or changed.',$(make_venv))
	@rm -f $(VENV)/.user $(VENV)/.dev
	@$(BIN)/python -m pip install --disable-pip-version-check $(if $(WHOLE),-q) -c constraints.txt \
		$(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') $(WHAT)
	@pwd > $@

# The first of $(PYTHON) that is 3.11 or newer and can make a virtual environment with pip in it.
define make_venv
unset python; for candidate in $(PYTHON); do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	if "$$candidate" -c 'import venv, ensurepip' 2>/dev/null; then python=$$candidate; break; fi; \
	without=$$candidate; \
done; \
if [ -z "$${python-}" ]; then \
	if [ -n "$${without-}" ]; then echo "$$without is here, but its venv module is not. On Debian and Ubuntu:"; \
	else echo "torchlinear needs Python 3.11, 3.12 or 3.13, and found none of: $(PYTHON). On Debian and Ubuntu:"; fi; \
	echo "    sudo apt install -y python3 python3-venv make git"; \
	echo "For a Python elsewhere: make PYTHON=/path/to/python3"; exit 1; \
fi >&2; \
echo "Setting up $(VENV) with $$python; this is done once. pip downloads about $(SIZE)."; \
if [ "$$(uname -s)" = Linux ] && [ -z "$(TORCH_INDEX)" ]; then \
	echo "On Linux PyPI's torch also brings CUDA for NVIDIA GPUs: 2.6 GB more to download. Without such"; \
	echo "a GPU, stop now (Ctrl-C) and add this to your command:  TORCH_INDEX=https://download.pytorch.org/whl/cpu"; \
fi; \
"$$python" -m venv --clear $(VENV)
endef
