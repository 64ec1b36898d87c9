"""Deploys the CDK app to the emulator, unless what is deployed there is up to date."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError, WaiterError

from local import processes
from local.aws import client_options, described_stack
from local.certificates import Certificates
from local.emulator import CREDENTIALS, REGION
from local.variables import Variables
from stacks.cdk_json import stages_of
from stacks.stage import LOCAL_STAGE, LOOPBACK_PARAMETER, StageError, load_stage, stack_name
from tools import cdk
from tools.checkout import CHECKOUT, digest_of
from tools.failures import LocalError
from tools.temporary_folder import check_temporary_folder

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef

STAGE = LOCAL_STAGE
ROLE = "deployment"
STACK = stack_name(STAGE)
TOOLKIT = "CDKToolkit"
BOOTSTRAP_TEMPLATE = (
    CHECKOUT / "node_modules" / "aws-cdk" / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
)
BOOTSTRAP_PARAMETERS = {
    "FileAssetsBucketKmsKeyId": "AWS_MANAGED_KEY",
    "CloudFormationExecutionPolicies": "arn:aws:iam::aws:policy/AdministratorAccess",
}
"""What `cdk bootstrap` says for them."""
# Everything that the synthesized templates and the zip are made from.
SOURCES = ("app.py", "cdk.json", "stacks", "lambda", "requirements.lock", "package-lock.json")
# The states from which a stack can be updated.
SOUND = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
SETTLE_TIMEOUT = 60.0
_OFTEN: "WaiterConfigTypeDef" = {"Delay": 1, "MaxAttempts": 60}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The stack on the emulator: reads its state and brings it up to date."""

    variables: Variables
    certificates: Certificates | None

    @property
    def config(self) -> str:
        """The overrides of the `local` stage: Bedrock's address, then the variable CONFIG."""
        return f"bedrock_endpoint_url={self.variables.bedrock_endpoint_url} {self.variables.config}".strip()

    @property
    def record(self) -> Path:
        """The file with the fingerprint of the last deployment; a new emulator starts without it."""
        return self.variables.folder / "deployment.json"

    def check(self) -> None:
        """Make sure that the CDK and the configuration can be used, before anything is started.

        Raises:
            LocalError: one sentence that names what is missing, or the setting at fault.
        """
        check_temporary_folder(os.environ)
        cdk.command()  # for its error
        try:
            stages = stages_of(CHECKOUT)
        except StageError as error:
            raise LocalError(str(error)) from error
        try:
            load_stage(name=STAGE, stages=stages, overrides=self.config)
        except StageError as error:
            raise LocalError(f"CONFIG cannot be used: {error}") from error

    def fingerprint(self) -> str:
        """Digest everything that the stack is made from."""
        return sha256(f"{self.config}\0{digest_of(SOURCES)}".encode()).hexdigest()

    def is_current(self) -> bool:
        """Say whether a deployment would change nothing."""
        # The record alone is not enough: somebody may have removed or broken the stack since.
        recorded = self.record.read_text(encoding="utf-8", errors="replace") if self.record.is_file() else ""
        return recorded == self.fingerprint() and self._status(STACK) in SOUND

    @contextmanager
    def compiled_meanwhile(self) -> Iterator[None]:
        """Let another process import what the CDK app imports, if nobody has done so: Python keeps the bytecode.

        After a fresh set-up this takes longer than the servers take to start. The process does not outlive the block.
        """
        imported = importlib.util.find_spec("aws_cdk")
        kept = Path(imported.cached) if imported and imported.cached else None
        if sys.dont_write_bytecode or kept is None or kept.exists():
            yield
            return
        with subprocess.Popen(
            (sys.executable, "-c", "import stacks.synthesis"),
            cwd=CHECKOUT,
            env={**cdk.environment(os.environ), **processes.marks(self.variables.folder, ROLE)},
            stdin=subprocess.DEVNULL,
            # Whatever is wrong with the app, the deployment says it.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield
            finally:
                process.kill()

    def is_stuck(self) -> bool:
        """Wait for a deployment that is under way, then say whether it left a stack that cannot be updated."""
        self._settle(STACK)
        return self._status(STACK) not in (None, *SOUND)

    def bring_up_to_date(self) -> None:
        """Deploy the app; the data of a stack that is already there stays.

        Raises:
            LocalError: the CDK could not deploy; the end of its output is printed first.
        """
        fingerprint = self.fingerprint()
        # Removed first, because an interrupted deployment must not count as done.
        self.record.unlink(missing_ok=True)
        output = self.variables.folder / "cdk.out"
        # The folder may hold the lock of a killed CDK, which counts as held until that process is reaped.
        shutil.rmtree(output, ignore_errors=True)
        if self._status(TOOLKIT) not in SOUND:
            print("up: bootstrapping…", flush=True)
            self._bootstrap()
        print("up: deploying…", flush=True)
        contexts = (f"stage={STAGE}", f"config={self.config}", "policy_checks=off")
        context = [word for each in contexts for word in ("--context", each)]
        # `direct`, because a change set would only add a round trip: nobody reads it here.
        options = ("--require-approval", "never", "--method", "direct", "--progress", "events")
        parameters = ("--parameters", f"{LOOPBACK_PARAMETER}=true") if self._has_loopback() else ()
        self._run(
            "deploy", STACK, *parameters, *context, *options, "--output", str(output), working_folder=CHECKOUT
        )
        self.record.write_text(fingerprint, encoding="utf-8")

    def outputs(self) -> Mapping[str, str]:
        """Read the outputs of the deployed stack by name."""
        stacks = self._cloudformation().describe_stacks(StackName=STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    def _has_loopback(self) -> bool:
        """Say whether the template has the parameter, which the CDK would refuse otherwise."""
        return load_stage(name=STAGE, stages=stages_of(CHECKOUT), overrides=self.config).webhook_loopback

    def _settle(self, stack: str) -> None:
        """Wait for what is under way in a stack."""
        deadline = time.monotonic() + SETTLE_TIMEOUT
        while (self._status(stack) or "").endswith("_IN_PROGRESS") and time.monotonic() < deadline:
            time.sleep(0.5)

    def _status(self, stack: str) -> str | None:
        found = described_stack(stack, self._cloudformation())
        return found and found["StackStatus"]

    def _bootstrap(self) -> None:
        """Create the stack of `cdk bootstrap` from its own template, without the three seconds that it takes to start.

        See the AWS CDK guide, "Bootstrap your environment": any tool that can deploy a template may be used.
        """
        client = self._cloudformation()
        try:
            # Half of it may be there, if an `up` was killed while it made this stack.
            self._settle(TOOLKIT)
            if self._status(TOOLKIT) not in (None, *SOUND):
                client.delete_stack(StackName=TOOLKIT)
                client.get_waiter("stack_delete_complete").wait(StackName=TOOLKIT, WaiterConfig=_OFTEN)
            if self._status(TOOLKIT) is None:
                client.create_stack(
                    StackName=TOOLKIT,
                    TemplateBody=BOOTSTRAP_TEMPLATE.read_text(encoding="utf-8"),
                    Capabilities=["CAPABILITY_NAMED_IAM"],
                    Parameters=[
                        {"ParameterKey": name, "ParameterValue": value}
                        for name, value in BOOTSTRAP_PARAMETERS.items()
                    ],
                )
                client.get_waiter("stack_create_complete").wait(StackName=TOOLKIT, WaiterConfig=_OFTEN)
        except (ClientError, WaiterError, OSError) as error:
            raise LocalError(f"The emulator could not be bootstrapped for the CDK: {error}.") from error

    def _cloudformation(self) -> "CloudFormationClient":
        authority = self.certificates.authority if self.certificates else None
        options = client_options(endpoint_url=self.variables.aws_endpoint_url, ca_bundle=authority)
        client: CloudFormationClient = boto3.client("cloudformation", **options)
        return client

    def _run(self, *arguments: str, working_folder: Path) -> None:
        log = self.variables.folder / "deploy.log"
        with log.open("wb") as output:
            done = subprocess.run(
                cdk.command(*arguments, "--ci"),
                cwd=working_folder,
                env=self._environment(os.environ),
                # Without a terminal, so that no question of the CDK waits for an answer.
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            print(processes.log_tail(log, lines=25), file=sys.stderr)
            raise LocalError(f"The CDK app could not be deployed to the emulator; {log} ends as shown above.")

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the operator's environment without their AWS account, so that only the emulator can be reached."""
        # Whoever has real credentials in their shell must not deploy into a real account by mistake.
        own = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
        direct = ",".join(
            filter(None, [environ.get("NO_PROXY", environ.get("no_proxy", "")), "127.0.0.1,localhost"])
        )
        trust = {}
        if self.certificates:
            authority = str(self.certificates.authority)
            trust = {"NODE_EXTRA_CA_CERTS": authority, "AWS_CA_BUNDLE": authority}
        return {
            **cdk.environment(own),
            **CREDENTIALS,
            **trust,
            **processes.marks(self.variables.folder, ROLE),
            # CDK's own check of the template takes two thirds of the synthesis. The tests apply it to every stage.
            "CDK_VALIDATION": "false",
            "AWS_ENDPOINT_URL": self.variables.aws_endpoint_url,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
