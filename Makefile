# `make demo` shows it, `make test` proves it; both set up whatever they need.

PYTHON ?= python3
BIN := .venv/bin
# What decides (DESIGN.md, "Rooms": what is pure, and what values accept): every branch of it is tested.
PURE := peer/_association.py,peer/_bundle.py,peer/_candidate.py,peer/_channel.py,peer/_configuration.py,$\
peer/_defaults.py,peer/_description.py,peer/_dns.py,peer/_errors.py,peer/_facts.py,peer/_framing.py,peer/_gathering.py,$\
peer/_hiding.py,peer/_messages.py,$\
peer/_negotiation.py,peer/_numbers.py,peer/_perfect_negotiation.py,peer/_priorities.py,peer/_remote.py,$\
peer/_states.py,peer/_stats.py,peer/_stun.py,peer/_tracks.py,peer/_unreachable.py,peer/_validation.py,$\
peer/_webidl.py,peer/testing/_trouble.py,peer/tools/_axis.py,peer/tools/_entries.py,peer/tools/_lanes.py,$\
peer/tools/_picture.py,peer/tools/_servers.py,peer/tools/_text.py,peer/tools/_verdict.py

demo: $(BIN)/ready
	$(BIN)/python -m examples.demo --write timeline

demo-open: $(BIN)/ready
	$(BIN)/python -m examples.demo --open

test: $(BIN)/ready
	sh tests/install_packages.sh
	$(BIN)/pytest --numprocesses=2 --dist=loadfile --cov --cov-report=term
	$(BIN)/coverage report --fail-under=100 --include='$(PURE)'

conformance: $(BIN)/ready
	sh tests/install_packages.sh
	$(BIN)/pytest tests/conformance -q --table

bench: $(BIN)/ready
	sh tests/install_packages.sh
	$(BIN)/python -m benchmarks --output benchmarks --readme README.md

networks: $(BIN)/ready
	sh tests/install_packages.sh
	$(BIN)/python -m benchmarks.networks --output docs/networks.md

lint: $(BIN)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .coverage timeline.html timeline.jsonl .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Debian ships venv apart from Python; where it is missing and we may, we install it.
$(BIN)/ready: pyproject.toml
	$(PYTHON) -m venv .venv || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv --clear .venv; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

.PHONY: demo demo-open test conformance bench networks lint format clean
