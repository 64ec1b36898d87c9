# Every target first installs what it needs into the checkout, so a fresh clone can start with `make demo`.
.DEFAULT_GOAL := help
.PHONY: help set-up set-up-with-docs set-up-for-tests set-up-for-supply demo quick test check deployments clients up down status synth bootstrap-policy stop start diff deploy smoke drift destroy key keys limit revoke rotate bench cost scale pages screenshots sbom audit-packages openapi diagram docs lock clean doctor audit mutants drill

# What runs on Node.js here is pinned and tested with 20; its banner would stand in the output of every test process.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# Without bytecode every process compiles the libraries anew, which is half of what a test run costs.
unexport PYTHONDONTWRITEBYTECODE

STAGE ?= dev
# The commands read these from their environment as they were given: neither make nor a shell reads in them.
WORDS := STAGE CONFIG APPROVE NAME DAYS KEY GRACE DAILY_IMAGES DAILY_USD IMAGES_PER_MINUTE API_KEY JSON PROVE MODEL MINUTES ACCOUNT HOURS IMAGES OUT
# Whatever else is given to make is exported as well, such as BEDROCK_URL or AWS_PROFILE, and make would read in it.
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
$(foreach word,$(sort $(WORDS) $(GIVEN)),$(eval override export $(word) := $$(value $(word))))
PYTHON := .venv/bin/python
# One process more than there are cores, because the tests of the local service mostly wait for it.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Tests of one group stay together, and the longest groups begin first (tests/conftest.py).
TESTS := $(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadscope
# What `make clients`, `make audit` and `make deployments` alone run, because it takes minutes.
IN_RUNS_OF_THEIR_OWN := tests/clients tests/deployments/test_synthesizing.py tests/deployments/test_life_of_a_stage.py tests/deployments/test_audit.py

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

set-up: ## install what is missing into .venv/ and node_modules/ (every other target does it by itself)
	@sh tools/set_up.sh

# Only the tests and `make docs` need the generator of the docs, and only the tests and two targets the tools that list
# and audit the packages.
set-up-with-docs:
	@sh tools/set_up.sh docs

set-up-for-supply:
	@sh tools/set_up.sh supply

set-up-for-tests:
	@sh tools/set_up.sh docs supply checkov

demo: set-up ## one picture through the whole stack on this machine, saved to out/
	@$(PYTHON) -m local demo

quick: set-up ## unit, api and architecture tests without the slow ones, in under a minute
	@$(TESTS) --numprocesses auto -m "not slow" --ignore tests/api/test_schemathesis.py tests/unit tests/api tests/architecture

test: set-up-for-tests ## the test suite, without what only `make check`, `make deployments` and `make clients` run
	@$(TESTS) -m "not thorough"

check: set-up-for-tests ## lint, format check and types, then the whole test suite with every case of its longest tests
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/zizmor --offline --quiet --persona auditor .github
	@THOROUGH=1 $(TESTS) tests $(IN_RUNS_OF_THEIR_OWN:%=--ignore %)

audit: set-up-for-tests ## scan the templates of dev and prod with each kind of callers, and firewall, domain and key on and off
	@$(TESTS) tests/deployments/test_audit.py

deployments: set-up-for-tests ## synthesize, deploy, update and destroy fresh clones of this checkout, in every way and configuration
	@$(TESTS) tests/deployments

mutants: set-up ## put small defects into copies of the code, one at a time, and say which ones no test notices
	@PYTHONPATH=.:lambda:client $(PYTHON) -m tests.mutants

clients: set-up ## run other people's clients, from their registries, against the service
	@$(PYTHON) -m pytest tests/clients

up: set-up ## start and deploy the local service (BEDROCK_URL, PORT_OFFSET, CONFIG, STRICT: docs/local.md)
	@$(PYTHON) -m local up

down: ## stop the local service and remove its files
	@if [ -e .local ]; then sh tools/set_up.sh; fi
	@if $(PYTHON) -c "" 2>/dev/null; then $(PYTHON) -m local down; else echo "Nothing is set up here, so nothing runs."; fi

status: set-up ## the local service's URL, its API keys, and its webhook secret
	@$(PYTHON) -m local status

synth: set-up ## the CloudFormation templates of STAGE (dev), into cdk.out/; needs no account; CONFIG= as for `make up`
	@rm -rf cdk.out # another stage may have left its templates there
	@$(PYTHON) -m operating synth

diff: set-up ## what `make deploy` would change in STAGE (dev); CONFIG=
	@$(PYTHON) -m operating diff

doctor: set-up ## look whether STAGE can be deployed, and whether it works; API_KEY=, CONFIG=, JSON=1, PROVE=1 for one paid image
	@$(PYTHON) -m operating doctor

bootstrap-policy: synth ## write what CloudFormation may do to deploy STAGE (dev), for `cdk bootstrap`; CONFIG= as for `make synth`
	@$(PYTHON) -m operating bootstrap-policy

deploy: set-up ## deploy STAGE (dev) into the AWS account of your credentials; CONFIG=, and APPROVE=never in a pipeline
	@$(PYTHON) -m operating deploy

smoke: set-up ## try the deployed STAGE (dev) for nothing; API_KEY= to try a key, and PROVE=1 to pay for one image
	@$(PYTHON) -m operating smoke

drift: set-up ## fail if somebody has changed the deployed stacks of STAGE (dev) by hand
	@$(PYTHON) -m operating drift

destroy: set-up ## delete STAGE (dev) from that account, with its data unless retain_data; CONFIG=, APPROVE=never
	@$(PYTHON) -m operating destroy

stop: set-up ## stop all spending of STAGE at once, without a deployment: nothing calls a model until `make start`
	@$(PYTHON) -m operating stop

start: set-up ## start again what `make stop` has stopped in STAGE
	@$(PYTHON) -m operating start

key: set-up ## make an API key of STAGE for NAME; DAYS= until it expires, DAILY_IMAGES=, DAILY_USD=, IMAGES_PER_MINUTE= for limits of its own
	@$(PYTHON) -m operating key

keys: set-up ## list the API keys of STAGE
	@$(PYTHON) -m operating keys

limit: set-up ## change limits of the API key with the id KEY: DAILY_IMAGES=, DAILY_USD=, IMAGES_PER_MINUTE= (a number, none, or stage)
	@$(PYTHON) -m operating limit

revoke: set-up ## refuse the API key with the id KEY from now on
	@$(PYTHON) -m operating revoke

rotate: set-up ## give the API key with the id KEY a new secret; the old one is accepted for GRACE (24) hours more
	@$(PYTHON) -m operating rotate

drill: set-up ## treat MODEL as retired in STAGE for at most MINUTES (10), and show what callers get; APPROVE=never
	@$(PYTHON) -m operating drill

bench: set-up ## measure the built functions against the floors and print the table; ACCOUNT=1 for that of STAGE, from its logs of HOURS (24): IMAGES=, OUT=
	@PYTHONPATH=lambda $(PYTHON) -m benchmarks

cost: synth ## what STAGE (dev) costs: a month in which nobody uses it, an image, and a month of images; CONFIG= as for `make up`
	@PYTHONPATH=lambda $(PYTHON) -m estimates cost

scale: set-up ## how far STAGE (dev) goes on the way to a million images a day, and its queue simulated; CONFIG=
	@PYTHONPATH=lambda $(PYTHON) -m estimates scale

pages: override STAGE := dev
pages: override CONFIG := playground=true monitoring=true
pages: synth ## make the tables of docs/cost.md and docs/scale.md anew
	@PYTHONPATH=lambda $(PYTHON) -m estimates pages

screenshots: set-up ## pictures of the playground in all its states, into out/screenshots/
	@PYTHONPATH=lambda $(PYTHON) -m tests.support.screenshots

openapi: set-up ## write lambda/imagegen/http/openapi.json from the code
	@PYTHONPATH=lambda $(PYTHON) -m apidoc

diagram: override STAGE := prod
diagram: synth ## draw docs/architecture.svg from the template of prod
	@$(PYTHON) -m docsite.diagram

docs: set-up-with-docs ## the documentation as a site, into out/docs/
	@$(PYTHON) -m docsite

sbom: set-up-for-supply ## bills of materials (CycloneDX) of the functions' zip and of the packages of npm, into out/sbom/
	@$(PYTHON) -m tools.sbom

audit-packages: set-up-for-supply ## look every locked package up in the databases of vulnerabilities; needs the internet
	@$(PYTHON) -m tools.audit

lock: set-up ## resolve every pinned list of packages again
	@$(PYTHON) -m tools.lock

clean: down ## remove everything that the other targets made
	@rm -rf .venv node_modules cdk.out .build out .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
