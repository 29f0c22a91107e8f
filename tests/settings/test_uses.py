"""What a module states in USES is read as it is, or every mistake in it is named with what to write."""

import re
from pathlib import Path

import pytest

from settings.job_module import JobModule, read_job_module
from settings.job_variables import noted_uses, uses_note
from settings.services import SERVICES
from settings.uses import Uses, read_uses

HEAD = '"""Exports."""\n\nTABLES = {"event": ("SELECT",)}\n'
STATED = {
    "s3": {"my-exports/events/*": ("PutObject", "AbortMultipartUpload"), "my-exports": ("ListBucket",)},
    "ses": {"identity/example.com": ("SendEmail",)},
    "sqs": {"arn:aws:sqs:eu-west-1:222222222222:orders": ("SendMessage",)},
    "secret": ("billing-api", "shop/mail"),
    "internet": ("api.billing.example:443", "files.example.com:22"),
}


def _read(source: str, folder: Path) -> JobModule:
    path = folder / "export.py"
    path.write_text(source)
    return read_job_module(path)


def test_it_is_read_as_it_is_stated() -> None:
    uses = read_uses(STATED)
    assert uses.services["s3"]["my-exports/events/*"] == {"PutObject", "AbortMultipartUpload"}
    assert uses.services.keys() == {"s3", "ses", "sqs"}
    assert uses.secrets == {"billing-api", "shop/mail"}
    assert uses.internet == {("api.billing.example", 443), ("files.example.com", 22)}
    assert uses


def test_a_job_that_states_none_uses_nothing(tmp_path: Path) -> None:
    uses = _read(f"{HEAD}def run(run): ...\n", tmp_path).read_uses(None)
    assert not uses
    assert uses.ways == frozenset()


def test_the_ways_out_are_endpoints_and_ports_each_once() -> None:
    assert read_uses(STATED).ways == {"s3", "email", "sqs", "secretsmanager", "443", "22"}
    both = {"ses": {"identity/a.example": ("SendEmail",)}, "sesv2": {"identity/a.example": ("SendEmail",)}}
    assert read_uses(both).ways == {"email"}
    assert read_uses({"kms": {"key/1234": ("Decrypt",)}}).ways == frozenset()  # S3 asks it, not the job


def test_the_note_in_the_template_says_all_of_it_in_an_order() -> None:
    assert uses_note(read_uses(STATED)) == {
        "s3": {"my-exports": "ListBucket", "my-exports/events/*": "AbortMultipartUpload, PutObject"},
        "ses": {"identity/example.com": "SendEmail"},
        "sqs": {"arn:aws:sqs:eu-west-1:222222222222:orders": "SendMessage"},
        "secret": "billing-api, shop/mail",
        "internet": "api.billing.example:443, files.example.com:22",
    }
    assert uses_note(Uses()) == {}
    for uses in (read_uses(STATED), Uses()):
        assert noted_uses(uses_note(uses)) == uses


def test_a_parameter_may_choose_the_bucket(tmp_path: Path) -> None:
    source = f"""{HEAD}
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Parameters:
    bucket: str

def uses(parameters):
    return {{"s3": {{f"{{parameters.bucket}}/events/*": ("PutObject",)}}}}

def run(run): ...
"""
    module = _read(source, tmp_path)
    for bucket in ("exports-of-one", "exports-of-two"):
        uses = module.read_uses(module.read_parameters({"bucket": bucket}))
        assert uses.services == {"s3": {f"{bucket}/events/*": {"PutObject"}}}
    with pytest.raises(ValueError, match=r"^lambda/jobs/export\.py states wrong USES: .*write a bucket's whole name"):
        module.read_uses(module.read_parameters({"bucket": "*"}))
    with pytest.raises(ValueError, match=r"export\.py: uses\(parameters\) raised AttributeError\(.*\): correct it"):
        module.read_uses(None)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (None, "None: write a dict like {"),
        (("s3",), "('s3',): write a dict like"),
        ({"S3": {}}, "'S3': no service of this name is known here: did you mean s3?"),
        ({"secrets": ("a",)}, "'secrets': no service of this name is known here: did you mean secret?"),
        (
            {"chime": {"x": ("Y",)}},
            "'chime': no service of this name is known here: write one of secret, internet",
        ),
        ({1: {}}, "1: no service of this name"),
        ({"s3": {}}, "'s3' has {}: write a dict of what it uses of it"),
        ({"s3": ("my-exports",)}, "'s3' has ('my-exports',): write a dict"),
        ({"s3": {"my-exports/*": "PutObject"}}, "'my-exports/*' has 'PutObject': write a tuple of actions"),
        ({"s3": {"my-exports/*": ()}}, "'my-exports/*' has (): write a tuple of actions"),
        (
            {"s3": {"my-exports/*": ("s3:PutObject",)}},
            "has the action 's3:PutObject': write it as in s3:PutObject",
        ),
        ({"s3": {"my-exports/*": ("*",)}}, "has the action '*': write it as in"),
        ({"s3": {"my-exports/*": ("Put*",)}}, "has the action 'Put*'"),
        ({"s3": {"my-exports/*": ("putObject",)}}, "has the action 'putObject'"),
        ({"s3": {"*": ("PutObject",)}}, "'*': write a bucket's whole name, or bucket/key"),
        ({"s3": {"my-*/x": ("PutObject",)}}, "'my-*/x': write a bucket's whole name"),
        ({"s3": {"My-Exports/x": ("PutObject",)}}, "'My-Exports/x': write a bucket's whole name"),
        ({"s3": {"my-exports/${aws:username}/x": ("PutObject",)}}, "write what stands in its ARN after the account"),
        ({"s3": {"my exports": ("PutObject",)}}, "write what stands in its ARN after the account"),
        ({"s3": {7: ("PutObject",)}}, "7: write what stands in its ARN"),
        ({"s3": {"arn:aws:sqs:r:1:x": ("PutObject",)}}, "write an ARN of this service, which begins with arn:aws:s3:"),
        ({"s3": {"arn:aws:s3:::*": ("PutObject",)}}, "write an ARN of this service"),
        ({"sqs": {"*": ("SendMessage",)}}, "'*': name what the job uses: with * in front it would be everything"),
        ({"ses": {"*/x": ("SendEmail",)}}, "'*/x': name what the job uses"),
        ({"secret": "billing-api"}, '"secret" has a str: write a tuple of texts, like {"secret": ("billing-api",)}'),
        ({"secret": ()}, '"secret" has a tuple: write a tuple of texts'),
        ({"secret": {"billing-api": ()}}, '"secret" has a dict: write a tuple of texts'),
        ({"secret": ("billing api",)}, "that is no name of a secret: write the one that it has in Secrets Manager"),
        ({"secret": ("one-mysql-jobs/tally",)}, "one-mysql-jobs/tally is what a job logs in to the database with"),
        ({"internet": ("api.example.com",)}, "'api.example.com': write a host in small letters and a port"),
        ({"internet": ("https://api.example.com:443",)}, "write a host in small letters and a port"),
        ({"internet": ("*.example.com:443",)}, "'*.example.com:443': write a host in small letters and a port"),
        ({"internet": ("api.example.com:0",)}, "'api.example.com:0': write a host"),
        ({"internet": ("api.example.com:65536",)}, "'api.example.com:65536': write a host"),
        ({"internet": ("localhost:443",)}, "'localhost:443': write a host"),
        (
            {"internet": ("mail.example.com:25",)},
            "Lambda lets nothing out to port 25: write mail.example.com:587",
        ),
    ],
)
def test_a_mistake_is_named(stated: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_uses(stated)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="write") as caught:
        read_uses({"s3": {"*": ("*",)}, "secret": "x", "internet": ("x",)})
    assert str(caught.value).count(": write ") == 4


def test_a_secret_in_place_of_its_name_is_not_repeated() -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    with pytest.raises(ValueError, match="that is no name of a secret") as caught:
        read_uses({"secret": (key,)})
    assert key not in str(caught.value)


def test_every_service_can_be_used() -> None:
    for name in SERVICES:
        resource = "my-exports/x" if name == "s3" else "thing/x"
        assert read_uses({name: {resource: ("DoSomething",)}}).services[name] == {resource: {"DoSomething"}}


def test_uses_are_stated_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^lambda/jobs/export\.py has both USES and uses\(\): keep one$"):
        _read(f"{HEAD}USES = {{}}\ndef uses(parameters): ...\ndef run(run): ...\n", tmp_path)


@pytest.mark.parametrize("asked", ["run.secret('billing-api')", "run.client('s3')", "run.http.request('GET', 'x')"])
def test_a_job_that_asks_its_run_for_what_it_does_not_state_is_refused(asked: str, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(f"def help(run):\n    return {asked}\n")
    with pytest.raises(ValueError, match=r"export\.py asks for run\.(secret|client|http), and has no USES: write what"):
        _read(f"{HEAD}from jobs import shared\ndef run(run): ...\n", tmp_path)


@pytest.mark.parametrize(("asked", "package"), [("client('s3')", "botocore"), ("http", "urllib3")])
def test_what_a_run_makes_with_a_package_needs_the_package(asked: str, package: str, tmp_path: Path) -> None:
    source = f"{HEAD}USES = {{}}\ndef run(run):\n    run.{asked}\n"
    with pytest.raises(ValueError, match=rf"which is made by {package}: write that into lambda/jobs/export\.txt, and"):
        _read(source, tmp_path)
