# `make demo` and `make test` each do all the set-up they need; a second run starts at once.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test slow docs fuzz soak faults kills replay-table nano nano-eval bench clean

help:
	@echo "make demo    a sign-up form filled in from its pixels, in headless Chromium"
	@echo "make test    format, lint, types and tests"
	@echo "make docs    the site of docs/, into site/"
	@echo "make slow    the tests that take longer, such as those of published figures (a quarter of an hour)"
	@echo "make fuzz    a million random replies, read by every dialect (minutes)"
	@echo "make soak    3,000 mixed actions in Chromium and on an X display: does anything grow? (10 minutes)"
	@echo "make faults  browsers killed, displays gone, disks full, 200 runs interrupted: what stays behind? (10 minutes)"
	@echo "make kills   100 runs killed at random moments: does every trajectory open? (minutes)"
	@echo "make replay-table  12 pages x 7 changes x 3 modes of replay: healed, stopped, or a wrong click? (minutes)"
	@echo "make nano    train moonhand-nano again from nothing (many hours on a CPU)"
	@echo "make nano-eval   measure nano on what it has never seen; PAGE_BOXES=DIR and DESKTOP_CLICKS=DIR add recorded screens"
	@echo "make bench   speed and memory beside transformers, with pictures in runs/speed (about half an hour on a quiet machine)"
	@echo "make clean   remove the virtual environment and what builds left behind"

demo: .venv/.ready-for-demo
	@bash setup.sh browser
	.venv/bin/moonhand demo

test: .venv/.ready-for-test
	@bash setup.sh browser
	@bash setup.sh shell
	@bash setup.sh desktop
	@bash setup.sh fonts
	bash tests/check.sh

slow: .venv/.ready-for-test
	@bash setup.sh browser
	@bash setup.sh shell
	@bash setup.sh desktop
	@bash setup.sh fonts
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --dist loadfile -m slow

docs: .venv/.ready-for-test
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

fuzz: .venv/.ready-for-test
	.venv/bin/python tests/fuzz/fuzz_dialects.py

soak faults kills: .venv/.ready-for-test
	@bash setup.sh browser
	@bash setup.sh desktop
	.venv/bin/python tests/soak/$@.py

replay-table: .venv/.ready-for-test
	@bash setup.sh browser
	.venv/bin/python tests/replay_table.py

nano: .venv/.ready-for-eval
	@bash setup.sh browser
	@bash setup.sh fonts
	[ -d runs/nano-episodes ] || { .venv/bin/python -m moonhand.tasks.miniwob.samples --out runs/nano-episodes.part && \
	    mv runs/nano-episodes.part runs/nano-episodes; }
	[ -d runs/nano-pages ] || { .venv/bin/python -m moonhand.tasks.pages.training --out runs/nano-pages.part && \
	    mv runs/nano-pages.part runs/nano-pages; }
	.venv/bin/python -m moonhand.tasks.training.nano --out runs/nano --small runs/nano-episodes --large runs/nano-pages
	.venv/bin/python -m moonhand.tasks.nano_eval.calibrate --model runs/nano/model

.venv/.ready-for-%: pyproject.toml setup.sh
	@bash setup.sh venv $*
	@touch $@

nano-eval: .venv/.ready-for-eval
	@bash setup.sh browser
	@bash setup.sh fonts
	.venv/bin/python -m moonhand.tasks.nano_eval \
	    $(if $(PAGE_BOXES),--page-boxes "$(PAGE_BOXES)") $(if $(DESKTOP_CLICKS),--desktop-clicks "$(DESKTOP_CLICKS)")

bench: .venv/.ready-for-test
	for script in decode prefill vision batch reuse long_context; do .venv/bin/python tests/bench/bench_$$script.py || exit 1; done
	.venv/bin/moonhand model bench --config small --only growth --plots runs/speed

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
