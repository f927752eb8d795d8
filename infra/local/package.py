"""What `sam build && sam package` do, without SAM: functions become packages, packages become `CodeUri`s.

    package.py zip BINARY PACKAGE
        Packs a binary as a Lambda package of the runtime `provided`: one file, `bootstrap`.

    package.py upload TEMPLATE OUTPUT BUCKET (LOGICAL_ID CONTENTS) ...
        Uploads each function's package to the bucket and writes the template with their addresses. CONTENTS is a JSON
        object: `package`, the package's path, and for each folder that goes into it (`catalog`, `guardrails`,
        `senders`) where its files come from. Credentials and endpoint: the usual AWS variables.
"""

import hashlib
import io
import json
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


# Which files of a folder go into a package, and whether there must be any.
FOLDERS = {"catalog": ("*.toml", True), "guardrails": ("*.cedar", True), "senders": ("*.toml", False)}


def filled(package, folders):
    """The bytes of `package` with the files of each folder added, below the folder's name."""
    content = io.BytesIO(package)
    with zipfile.ZipFile(content, "a") as archive:
        for name, folder in sorted(folders.items()):
            pattern, required = FOLDERS[name]
            files = sorted(path for path in Path(folder).glob(pattern) if path.is_file())
            if required and not files:
                raise SystemExit(f"`{folder}` has no {name}: no file in it is named {pattern}")
            for path in files:
                add(archive, f"{name}/{path.name}", path.read_bytes(), 0o644)
    return content.getvalue()


def upload(source, output, bucket, *packages):
    """Uploads and writes `output`. The template's functions must be exactly those that are named."""
    import boto3
    from awscli.customizations.cloudformation.yamlhelper import yaml_dump, yaml_parse

    template = yaml_parse(Path(source).read_text(encoding="utf-8"))
    resources = template["Resources"]
    functions = {name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"}
    named = {name: json.loads(contents) for name, contents in zip(packages[::2], packages[1::2], strict=True)}
    if functions != set(named):
        raise SystemExit(f"the template has the functions {sorted(functions)}, packages are there for {sorted(named)}")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    for name, contents in named.items():
        package = Path(contents.pop("package")).read_bytes()
        content = filled(package, contents) if contents else package
        key = f"{hashlib.sha256(content).hexdigest()}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        resources[name]["Properties"]["CodeUri"] = f"s3://{bucket}/{key}"
    Path(output).write_text(yaml_dump(template), encoding="utf-8")


if __name__ == "__main__":
    {"zip": pack, "upload": upload}[sys.argv[1]](*sys.argv[2:])
