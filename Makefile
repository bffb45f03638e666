# `make demo` and `make test` each do all the set-up they need; a second run starts at once.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test nano nano-eval clean

help:
	@echo "make demo    a sign-up form filled in from its pixels, in headless Chromium"
	@echo "make test    format, lint, types and tests"
	@echo "make nano    train moonhand-nano again from nothing (hours)"
	@echo "make nano-eval   ask nano about 200 pages it has never seen"
	@echo "make clean   remove the virtual environment and what builds left behind"

demo: .venv/.ready-for-demo
	@bash setup.sh browser
	.venv/bin/moonhand demo

test: .venv/.ready-for-test
	@bash setup.sh browser
	@bash setup.sh desktop
	@bash setup.sh fonts
	bash tests/check.sh

nano: .venv/.ready-for-demo
	@bash setup.sh fonts
	.venv/bin/python -m moonhand.tasks.training.nano --out runs/nano

.venv/.ready-for-%: pyproject.toml setup.sh
	@bash setup.sh venv $*
	@touch $@

nano-eval: .venv/.ready-for-demo
	@bash setup.sh browser
	@bash setup.sh fonts
	.venv/bin/python -m moonhand.tasks.nano_eval --all-controls

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
