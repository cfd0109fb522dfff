# What people and CI type. The two stamp files in the environment say what is already installed.

VENV := .venv
BIN := $(VENV)/bin
# The first Python on PATH that is new enough; `make PYTHON=/path/to/python3 setup` chooses another.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv)
# The lock file as constraints: the versions it names, and only of what is asked for.
# Modules are compiled when first imported, which saves pip about half a minute.
INSTALL = $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install \
	--no-compile --disable-pip-version-check) --constraint requirements.lock
# Carries the program `tritonserver`. Its Python steps were built for the older NumPy, so both stand
# beside the environment.
TRITON := nvidia-pytriton==0.7.0 numpy==1.26.4
SYSTEM_LIBRARIES := libgl1 libglib2.0-0 libxcb1
# Programs and their Debian packages: data set versions need git, tests a database server as well.
RUNTIME_PROGRAMS := git:git
# TorchServe needs Java, the demo page's test a browser.
TEST_PROGRAMS := $(RUNTIME_PROGRAMS) mariadbd:mariadb-server-core my_print_defaults:mariadb-client-core \
	java:default-jre-headless chromium:chromium prometheus:prometheus

# What `make images` builds with: the first that answers, as a docker command without a server does
# not. The other variables of docs/images.md are empty unless given.
ENGINE ?= $(shell for engine in docker podman buildah; do \
	$$engine info >/dev/null 2>&1 && echo $$engine && break; done)
IMAGES ?= steps serving demo
VARIANTS ?= cpu cuda
TAG_cuda := -cuda
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run serve test check format lock bench bench-serving images clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime ## install what running needs into .venv (with uv if there is one)

run: $(VENV)/.runtime ## photographs to readings: draw, train, test, deploy, report
	$(BIN)/python pipeline_utils.py upload-and-run

serve: $(VENV)/.serving ## answer requests at http://localhost:8080 (docs/serving.md)
	$(BIN)/python pipeline_utils.py serve

test: $(VENV)/.dev ## run all tests
	@# One thread a process: two test files run at a time, and some start processes of their own.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(VENV)/.dev ## lint, format, types, imports between the rooms, Dockerfiles, workflows; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint $(wildcard components/Dockerfile serving/*/Dockerfile)
	@# Whether shellcheck and pyflakes happen to be installed makes no difference.
	$(BIN)/actionlint -shellcheck= -pyflakes=

format: $(VENV)/.dev ## rewrite the code in the house's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## renew requirements.lock: the newest versions that pyproject.toml admits
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --no-compile --disable-pip-version-check '.[dev]'
	build/lock/bin/python -m pip freeze --all --exclude pip --exclude plateflow > requirements.lock

bench: $(VENV)/.dev ## measure the figures of docs/benchmarks.md with the model in use
	$(BIN)/python -m tests.measure

bench-serving: $(VENV)/.dev ## measure our server beside others (docs/serving.md)
	$(BIN)/python -m serving.bench

images: ## build the images: the pipelines' steps for CPU and CUDA, the server, its demo (docs/images.md)
	@[ -n '$(ENGINE)' ] || { \
		echo 'Images are built with docker, podman or buildah: none of them answers'; exit 1; }
	$(if $(filter steps,$(IMAGES)),$(foreach variant,$(VARIANTS),$(call build_image,components,$\
		plateflow-python:$(VERSION)$(TAG_$(variant)),--build-arg VARIANT=$(variant) $\
		$(if $(TORCH_INDEX_$(variant)),--build-arg TORCH_INDEX=$(TORCH_INDEX_$(variant))))))
	$(if $(filter serving,$(IMAGES)),$(call build_image,serving/predictor,$\
		plateflow-serving:$(VERSION),$(if $(SERVING_RUNTIME),--build-arg RUNTIME=$(SERVING_RUNTIME))))
	$(if $(filter demo,$(IMAGES)),$(call build_image,serving/demo,plateflow-demo:$(VERSION)))

clean: ## remove the environment and every cache; .plateflow (runs and models) stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) --editable .
	$(first_imports)
	$(call programs,$(RUNTIME_PROGRAMS))
	@touch $@

$(VENV)/.serving: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) --editable '.[serving,demo]'
	$(first_imports)
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) --editable '.[dev]'
	@# Of Triton only the program is wanted, not what its Python side asks for.
	$(subst --constraint requirements.lock,,$(INSTALL)) --no-deps --target $(VENV)/triton --upgrade $(TRITON)
	$(first_imports)
	$(call programs,$(TEST_PROGRAMS))
	$(load_libpython)
	@touch $(VENV)/.runtime $(VENV)/.serving $@

$(BIN)/python:
	@[ -n '$(PYTHON)' ] || { echo 'Plateflow needs Python 3.11 or newer on PATH' \
		'(Debian, Ubuntu: apt-get install python3 python3-venv)'; exit 1; }
	@rm -rf $(VENV)
	@$(if $(UV),$(UV) venv --quiet --seed --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV)) || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make an environment (Debian, Ubuntu:" \
			"apt-get install python3-venv)"; exit 1; }

# The folder of its Dockerfile, its name with its tag, further arguments. Of the three programs only
# buildah keeps no layers unless asked.
define build_image
$(ENGINE) build $(if $(filter buildah,$(ENGINE)),--layers) --file $(1)/Dockerfile \
	--tag $(if $(REGISTRY),$(REGISTRY)/)$(2) --build-arg VERSION=$(VERSION) \
	--build-arg COMMIT=$$(git describe --always --dirty) \
	$(foreach name,BASE SOURCE,$(if $($(name)),--build-arg $(name)=$($(name)))) $(3) $(BUILD_FLAGS) .

endef

# OpenCV's wheel expects these of the system; a bare Debian or Ubuntu does not have them.
define first_imports
@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	packages='$(SYSTEM_LIBRARIES)'; $(install_packages); \
	$(BIN)/python -c 'import cv2'; }
@# Its yapf writes a cache at its first import: of two processes at once one would read half of it.
@$(BIN)/python -c 'import mmengine'
endef

# Triton's Python steps link to it; Debian has it apart from the interpreter.
define load_libpython
@version=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
$(BIN)/python -c "import ctypes; ctypes.CDLL('libpython$$version.so.1.0')" 2>/dev/null || { \
	packages="libpython$$version"; $(install_packages); }
endef

# The programs of a list of program:package that are not there are installed, or named.
define programs
@packages=; \
for pair in $(1); do \
	PATH="$$PATH:/usr/sbin:/sbin" command -v "$${pair%%:*}" >/dev/null || \
		packages="$$packages $${pair#*:}"; \
done; \
[ -z "$$packages" ] || { $(install_packages); }
endef

install_packages = \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; \
	else \
		echo "Missing system packages. On Debian or Ubuntu: sudo apt-get install $$packages"; \
		false; \
	fi
