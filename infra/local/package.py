"""What `sam build && sam package` do, without SAM: functions become packages, packages become `CodeUri`s.

    package.py zip BINARY PACKAGE
        Packs a binary as a Lambda package of the runtime `provided`: one file, `bootstrap`.

    package.py upload TEMPLATE OUTPUT BUCKET CATALOG LOGICAL_ID[+]=PACKAGE ...
        Uploads each function's package to the bucket, those marked `+` with the catalog's files in `catalog/`,
        and writes the template with their addresses. Credentials and endpoint: the usual AWS variables.
"""

import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

# Packages of the same content are the same bytes, so that the emulator unpacks each once.
EPOCH = (1980, 1, 1, 0, 0, 0)


def add(archive, name, content, mode):
    """Adds one file, with nothing in its entry that is not its content's."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    # Level 1: packages stay on this machine, so time counts for more than size.
    archive.writestr(entry, content, compresslevel=1)


def pack(binary, package):
    """Writes `package`, whole or not at all."""
    draft = Path(package).with_suffix(".draft")
    with zipfile.ZipFile(draft, "w") as archive:
        add(archive, "bootstrap", Path(binary).read_bytes(), 0o755)
    os.replace(draft, package)


def with_catalog(package, catalog):
    """The bytes of `package` with the catalog's TOML files added."""
    content = io.BytesIO(package)
    with zipfile.ZipFile(content, "a") as archive:
        files = sorted(path for path in Path(catalog).glob("*.toml") if path.is_file())
        if not files:
            raise SystemExit(f"`{catalog}` has no catalog: no file in it ends in .toml")
        for path in files:
            add(archive, f"catalog/{path.name}", path.read_bytes(), 0o644)
    return content.getvalue()


def upload(source, output, bucket, catalog, *packages):
    """Uploads and writes `output`. The template's functions must be exactly those that are named."""
    import boto3
    from awscli.customizations.cloudformation.yamlhelper import yaml_dump, yaml_parse

    template = yaml_parse(Path(source).read_text(encoding="utf-8"))
    resources = template["Resources"]
    functions = {name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"}
    named = dict(package.split("=", 1) for package in packages)
    if functions != {name.rstrip("+") for name in named}:
        raise SystemExit(f"the template has the functions {sorted(functions)}, packages are there for {sorted(named)}")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    for name, package in named.items():
        content = Path(package).read_bytes()
        if name.endswith("+"):
            content = with_catalog(content, catalog)
        key = f"{hashlib.sha256(content).hexdigest()}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        resources[name.rstrip("+")]["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    Path(output).write_text(yaml_dump(template), encoding="utf-8")


if __name__ == "__main__":
    {"zip": pack, "upload": upload}[sys.argv[1]](*sys.argv[2:])
