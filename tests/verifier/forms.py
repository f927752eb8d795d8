"""The forms of docs/audit.md: names, times, canonical JSON, records, Merkle trees, keys, checkpoints. Whatever is not of its
form is `Bad`."""

import base64
import hashlib
import json
import re
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

EPOCH = "1970-01-01T00:00:00.000Z"
ZEROS = "0" * 64
DEPTH = 32

NAME = re.compile(r"events/day=(\d{4}-\d\d-\d\d)/(\1T\d\d:\d\d:\d\d\.\d{3}Z)-([0-9a-f]{16})\.jsonl", re.ASCII)
CHECKPOINT = re.compile(r"checkpoints/(\d{10,})\.json", re.ASCII)
GRANT = re.compile(r"g-[a-z2-7]{26}", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{0,8}[1-9]))?Z", re.ASCII)


class Bad(Exception):
    """Something is not of the form that it must have."""


def must(condition):
    if not condition:
        raise Bad


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Times


def seconds(text):
    """A whole second as seconds since 1970."""
    try:
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        raise Bad from None
    whole = int((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    # `strptime` takes 60 and 61 for leap seconds, and turns them into other times.
    must(whole >= 0 and at.strftime("%Y-%m-%dT%H:%M:%S") == text)
    return whole


def milliseconds(text):
    """A time of raw data as whole milliseconds since 1970."""
    match = TIME.fullmatch(text)
    must(match)
    return seconds(match[1]) * 1000 + int((match[2] or "").ljust(3, "0")[:3])


def is_time(text):
    """Whether a text is a time as names and checkpoints have it."""
    if not MILLISECONDS.fullmatch(text):
        return False
    try:
        seconds(text[:19])
    except Bad:
        return False
    return True


def moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


# Canonical JSON


def canonical(value):
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def check_plain(value, depth):
    must(depth > 0)
    if isinstance(value, float):
        raise Bad
    if isinstance(value, int) and not isinstance(value, bool):
        must(-(2**63) <= value < 2**64)
    elif isinstance(value, list):
        for item in value:
            check_plain(item, depth - 1)
    elif isinstance(value, dict):
        for item in value.values():
            check_plain(item, depth - 1)


def parse(data):
    """Reads canonical JSON; nothing else."""
    try:
        value = json.loads(data.decode("utf-8"))
        check_plain(value, DEPTH)
        must(canonical(value) == data)
    except (ValueError, RecursionError):
        raise Bad from None
    return value


def at(value, *path):
    """The string at a path."""
    for name in path:
        must(isinstance(value, dict) and name in value)
        value = value[name]
    must(isinstance(value, str))
    return value


def is_whole(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


# Records


class Record:
    def __init__(self, line):
        ocsf = parse(line)
        self.id = at(ocsf, "metadata", "uid")
        raw = at(ocsf, "raw_data").encode("utf-8")
        self.digest = sha256(raw)
        must(at(ocsf, "raw_data_hash", "value") == self.digest)
        evidence = parse(raw)
        must(isinstance(evidence, dict))
        self.prev = None
        if self.id.startswith("denied#"):
            self.grant, self.seq, name = None, None, "Denied"
            must(self.id == "denied#" + self.digest)
        else:
            must(set(evidence) == {"actor", "at", "fact", "grant_id", "prev", "seq"})
            self.grant, self.seq, self.prev = evidence["grant_id"], evidence["seq"], evidence["prev"]
            must(isinstance(self.grant, str) and GRANT.fullmatch(self.grant))
            must(is_whole(self.seq, 1, 2**32 - 1))
            must(isinstance(self.prev, str) and DIGEST.fullmatch(self.prev))
            must(self.id == event_id(self.grant, self.seq))
            name = at(evidence, "fact", "type")
        must(at(ocsf, "metadata", "event_code") == name)
        must(is_whole(ocsf.get("time"), 0, 2**63 - 1) and ocsf["time"] == milliseconds(at(evidence, "at")))


def event_id(grant, seq):
    return f"{grant}#{seq:06}"


def read(line):
    """A line as a record, or none; and what it says that it is."""
    try:
        record = Record(line)
        return record, record.id
    except Bad:
        pass
    try:
        return None, at(json.loads(line.decode("utf-8")), "metadata", "uid")
    except (Bad, ValueError, RecursionError):
        return None, None


def split(body):
    if not body:
        return []
    return (body[:-1] if body.endswith(b"\n") else body).split(b"\n")


# Merkle tree


def tree(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + tree(leaves[:k]) + tree(leaves[k:])).digest()


# Keys and checkpoints


class Key:
    def __init__(self, pem):
        try:
            self.key = serialization.load_pem_public_key(pem)
        except ValueError:
            raise Bad from None
        must(isinstance(self.key, ec.EllipticCurvePublicKey) and isinstance(self.key.curve, ec.SECP256R1))
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.pem = self.key.public_bytes(serialization.Encoding.PEM, form)
        self.id = sha256(self.key.public_bytes(serialization.Encoding.DER, form))

    def has_signed(self, digest, value):
        try:
            signature = base64.b64decode(value, validate=True)
            must(base64.b64encode(signature).decode() == value)
            r, s = utils.decode_dss_signature(signature)
            must(utils.encode_dss_signature(r, s) == signature)
            self.key.verify(signature, bytes.fromhex(digest), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        except (Bad, ValueError, InvalidSignature):
            return False
        return True


def keys_in(pem):
    end = b"-----END PUBLIC KEY-----"
    blocks = [block + end for block in pem.strip().split(end)[:-1]]
    must(blocks and pem.strip().endswith(end))
    return [Key(block) for block in blocks]


def fields(value, names):
    must(isinstance(value, dict) and set(value) == set(names.split()))


class Checkpoint:
    def __init__(self, body):
        value = parse(body)
        fields(value, "signature statement")
        self.signature, self.statement = value["signature"], value["statement"]
        fields(self.signature, "algorithm key_id value")
        must(all(isinstance(text, str) for text in self.signature.values()))
        said = self.statement
        fields(said, "version stack number from until sealed_at objects heads denials merkle_root previous")
        for name in ("version", "stack", "from", "until", "sealed_at", "merkle_root", "previous"):
            must(isinstance(said[name], str))
        must(said["version"] == "curfew-checkpoint/1")
        must(all(is_time(said[name]) for name in ("from", "until", "sealed_at")))
        must(is_whole(said["number"], 0, 2**64 - 1) and is_whole(said["denials"], 0, 2**64 - 1))
        must(isinstance(said["objects"], list) and isinstance(said["heads"], list))
        for listed in said["objects"]:
            fields(listed, "key sha256 lines")
            must(isinstance(listed["key"], str) and isinstance(listed["sha256"], str))
            must(isinstance(listed["lines"], list))
            for line in listed["lines"]:
                fields(line, "id sha256")
                must(line["id"] is None or isinstance(line["id"], str))
                must(isinstance(line["sha256"], str))
        for head in said["heads"]:
            fields(head, "grant_id seq digest")
            must(isinstance(head["grant_id"], str) and GRANT.fullmatch(head["grant_id"]))
            must(is_whole(head["seq"], 0, 2**32 - 1) and isinstance(head["digest"], str))
        self.number = said["number"]
        self.digest = sha256(canonical(said))

    def __getattr__(self, name):
        return self.statement[name]


def checkpoint_key(number):
    return f"checkpoints/{number:010}.json"


def time_of(name):
    match = NAME.fullmatch(name)
    return match[2] if match and is_time(match[2]) else None
