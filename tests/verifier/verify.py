"""Verifies an archive of Curfew by docs/audit.md alone. Shares no code with `curfew verify`.

    verify.py <folder> [--key <pem file>] [--anchor <number>:<digest>] [--as-of <time>] [--copied-by <time>]
              [--every <seconds>] [--expired-until <time>]

Writes a report as one JSON object, and exits with 0 if the archive is whole, with 1 if it is not, and with 2 if nothing
was verified. Needs Python 3.10 and `cryptography`.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

from forms import (
    CHECKPOINT,
    DIGEST,
    EPOCH,
    NAME,
    ZEROS,
    Bad,
    Checkpoint,
    Key,
    checkpoint_key,
    event_id,
    is_time,
    keys_in,
    moment,
    must,
    read,
    sha256,
    split,
    stamp,
    time_of,
    tree,
)

GRACE = timedelta(minutes=15)
CLOCKS = timedelta(minutes=5)
MIN, MAX = "", "~"  # before and after the text of any time

CODES = """record-changed record-removed record-inserted records-reordered record-unreadable grant-cut-off object-changed
object-removed object-inserted object-moved checkpoint-changed checkpoint-removed checkpoint-inserted checkpoints-broken
signature-forged wrong-key key-changed archive-cut-off begins-later anchor-missing never-sealed""".split()

SEALED, UNSEALED, DOUBTFUL = 0, 1, 2


# The archive


class Archive:
    def __init__(self, folder):
        self.folder = Path(folder)
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        self.names = sorted(path.relative_to(self.folder).as_posix() for path in paths)

    def below(self, prefix):
        return [name for name in self.names if name.startswith(prefix)]

    def read(self, name):
        return (self.folder / name).read_bytes()


class Verifier:
    def __init__(self, archive, trusted, anchor, as_of, copied_by, every, expired_until):
        self.archive, self.given = archive, trusted
        self.anchor, self.as_of, self.copied_by = anchor, as_of, copied_by
        self.every, self.expired_until = every, expired_until
        self.findings = []
        self.links = defaultdict(list)  # by grant: seq, proof, object, line, digest, prev
        self.denials = Counter()
        self.denied_sealed = set()
        self.looked_at = set()
        self.wanted = {}  # SHA-256 of missing and changed objects: name
        self.gone, self.strange = [], []  # time, SHA-256, finding
        self.told = set()
        self.heads = {}
        self.expired = False

    def tell(self, time, code, name=None, line=None, record=None, words=""):
        finding = {"code": code, "object": name, "line": line, "record": record, "words": words}
        self.findings.append((time, finding))

    # 1, 2

    def list(self):
        self.checkpoints = {}
        for name in self.archive.below("checkpoints/"):
            match = CHECKPOINT.fullmatch(name)
            number = int(match[1]) if match else 0
            if 0 < number < 2**64 and checkpoint_key(number) == name:
                self.checkpoints[number] = name
            else:
                self.tell(MAX, "checkpoint-inserted", name, words="no checkpoint has such a name")
        self.objects, self.misnamed = {}, []
        for name in self.archive.below("events/"):
            match = NAME.fullmatch(name)
            if match and is_time(match[2]):
                self.objects[name] = (match[2], match[3])
            else:
                self.misnamed.append(name)

    def trust(self):
        if self.given is not None:
            self.keys = {key.id: key for key in self.given}
            return
        good = {}
        for name in self.archive.below("keys/"):
            body = self.archive.read(name)
            try:
                key = Key(body)
                must(key.pem == body and name == f"keys/{key.id}.pem")
                good[key.id] = key
            except Bad:
                self.tell(MIN, "key-changed", name, words="it is not a key under its own name")
        self.keys = {}
        for number in sorted(self.checkpoints):
            try:
                wanted = Checkpoint(self.archive.read(self.checkpoints[number])).signature["key_id"]
            except Bad:
                continue
            if wanted in good:
                self.keys = {wanted: good[wanted]}
            elif f"keys/{wanted}.pem" not in self.archive.names:
                self.tell(MIN, "key-changed", f"keys/{wanted}.pem", words="the key is not there")
            return

    # 3

    def doubt(self, checkpoint, follower):
        """Why the signature does not make it hold: a code; or none."""
        key = self.keys.get(checkpoint.signature["key_id"])
        if key is None:
            return "wrong-key"
        right = checkpoint.signature["algorithm"] == "ECDSA_SHA_256"
        if right and key.has_signed(checkpoint.digest, checkpoint.signature["value"]):
            return None
        contradicted = follower and follower["previous"] != checkpoint.digest
        return "checkpoint-changed" if contradicted else "signature-forged"

    def walk(self):
        self.newest = self.oldest = None
        self.anchored = False
        above = None
        for number in sorted(self.checkpoints, reverse=True):
            name = self.checkpoints[number]
            if self.oldest and number + 1 < above:
                words = f"numbers {number + 1} to {above - 1} are not there"
                self.tell(self.oldest["from"], "checkpoint-removed", checkpoint_key(number + 1), words=words)
            above = number
            follower = self.oldest if self.oldest and self.oldest["number"] == number + 1 else None
            time = follower["from"] if follower else MAX
            try:
                checkpoint = Checkpoint(self.archive.read(name))
            except Bad:
                self.tell(time, "checkpoint-changed", name, words="it is not a checkpoint")
                continue
            if checkpoint.number != number:
                self.tell(time, "checkpoint-inserted", name, words="it has another number")
                continue
            if self.anchor == (number, checkpoint.digest):
                self.anchored = True
            doubt = self.doubt(checkpoint, follower)
            if doubt and self.keys:
                self.tell(time, doubt, name, words="its signature does not make it hold")
            if doubt and not (follower and follower["previous"] == checkpoint.digest):
                continue
            self.follow(checkpoint, follower)
            if self.is_possible(checkpoint):
                self.compare(checkpoint)
            kept = {name: checkpoint.statement[name] for name in ("number", "from", "until", "previous", "stack")}
            kept["digest"] = checkpoint.digest
            self.oldest = kept
            self.newest = self.newest or kept

    def follow(self, checkpoint, follower):
        if follower and (
            follower["previous"] != checkpoint.digest
            or follower["from"] != checkpoint.until
            or follower["stack"] != checkpoint.stack
        ):
            name = checkpoint_key(follower["number"])
            self.tell(follower["until"], "checkpoints-broken", name, words="it does not follow")

    def broken(self, checkpoint, words):
        self.tell(checkpoint.until, "checkpoints-broken", checkpoint_key(checkpoint.number), words=words)

    def is_possible(self, checkpoint):
        said = checkpoint.statement
        first = said["previous"] == ZEROS and said["from"] == EPOCH
        if (said["number"] == 1) != first:
            # Another number than 1 may have one of the two, by whatever chance.
            self.broken(checkpoint, "it is the first one or not, and says otherwise")
            return False
        if said["until"] <= said["from"] or said["sealed_at"] < said["until"]:
            self.broken(checkpoint, "its period can't be")
            return False
        return True

    # 4

    def compare(self, checkpoint):
        present = {
            name for name, (time, _) in self.objects.items() if checkpoint.statement["from"] < time <= checkpoint.until
        }
        complete, told, expired = True, False, False
        heads, denials = {}, set()
        for listed in checkpoint.objects:
            name = listed["key"]
            time = self.objects[name][0] if name in self.objects else time_of(name)
            if time is None or not checkpoint.statement["from"] < time <= checkpoint.until:
                self.broken(checkpoint, "it seals what is not of its period")
                told = True
                continue
            if name not in present:
                complete = False
                expired |= self.missing(listed, time)
                continue
            present.discard(name)
            self.looked_at.add(name)
            body = self.archive.read(name)
            if sha256(body) != listed["sha256"]:
                complete = False
                self.changed(listed, time, body)
                continue
            found = [(line, *read(line)) for line in split(body)]
            made = [{"id": record.id if record else None, "sha256": sha256(line)} for line, record, _ in found]
            if made != listed["lines"]:
                self.broken(checkpoint, "it seals other lines")
                told = True
            for number, (_, record, claimed) in enumerate(found, 1):
                if not record:
                    self.tell(time, "record-unreadable", name, number, claimed, "it is no record")
                    continue
                self.add(record, name, number, SEALED)
                if record.grant:
                    head = (-record.seq, record.digest)
                    heads[record.grant] = min(head, heads.get(record.grant, head))
                else:
                    denials.add(record.id)
        for name in sorted(present):
            if name not in self.looked_at:
                self.looked_at.add(name)
                self.inserted(name, self.objects[name][0], self.archive.read(name))
        if not expired:
            for head in checkpoint.statement["heads"]:
                seq, until = self.heads.get(head["grant_id"], (0, checkpoint.until))
                self.heads[head["grant_id"]] = (max(seq, head["seq"]), until)
        if complete and not told:
            made = [{"grant_id": grant, "seq": -seq, "digest": digest} for grant, (seq, digest) in sorted(heads.items())]
            leaves = [f"{event_id(head['grant_id'], head['seq'])} {head['digest']}" for head in made]
            leaves = sorted(leaf.encode() for leaf in {*leaves, *denials})
            names = [listed["key"] for listed in checkpoint.objects]
            agrees = (
                names == sorted(set(names))
                and made == checkpoint.statement["heads"]
                and len(denials) == checkpoint.statement["denials"]
                and tree(leaves).hex() == checkpoint.merkle_root
            )
            if not agrees:
                self.broken(checkpoint, "it contradicts what it seals")

    def add(self, record, name, line, proof):
        if record.grant:
            self.links[record.grant].append((record.seq, proof, name, line, record.digest, record.prev))
        else:
            self.denials[record.id] += 1
            if proof == SEALED:
                self.denied_sealed.add(record.id)

    def missing(self, listed, time):
        if self.expired_until and time <= self.expired_until:
            self.expired = True
            return True
        ids = [line["id"] for line in listed["lines"] if line["id"] is not None]
        self.told.update(ids)
        self.wanted[listed["sha256"]] = listed["key"]
        finding = ("object-removed", listed["key"], None, ids[0] if ids else None, "it is not there")
        self.gone.append((time, listed["sha256"], finding))
        return False

    def changed(self, listed, time, body):
        self.wanted[listed["sha256"]] = listed["key"]
        lines = split(body)
        there = [sha256(line) for line in lines]
        was = [line["sha256"] for line in listed["lines"]]
        self.told.update(
            line["id"] for line in listed["lines"] if line["id"] is not None and line["sha256"] not in there
        )
        claims = []
        for number, (line, digest) in enumerate(zip(lines, there), 1):
            record, claimed = read(line)
            claims.append(claimed)
            if record:
                self.add(record, listed["key"], number, SEALED if digest in was else DOUBTFUL)
        self.strange.append((time, sha256(body), difference(listed, was, there, claims)))

    def inserted(self, name, time, body):
        first = None
        for number, line in enumerate(split(body), 1):
            record, claimed = read(line)
            first = first or claimed
            if record:
                self.add(record, name, number, DOUBTFUL)
        words = "it was not there when its period was sealed"
        self.strange.append((time, sha256(body), ("object-inserted", name, None, first, words)))

    # 5, 6

    def rest(self):
        limit = stamp(self.copied_by + CLOCKS) if self.copied_by else MAX
        for name, (time, digits) in sorted(self.objects.items()):
            if name in self.looked_at:
                continue
            body = self.archive.read(name)
            digest = sha256(body)
            if digest in self.wanted:
                self.inserted(name, time, body)
                continue
            if time > limit:
                self.tell(time, "object-inserted", name, words="it is of the future")
            named = digest[:16] == digits
            if not named:
                self.tell(time, "object-changed", name, words="it is not what its name says")
            for number, line in enumerate(split(body), 1):
                record, claimed = read(line)
                if record:
                    self.add(record, name, number, UNSEALED if named else DOUBTFUL)
                else:
                    code = "record-unreadable" if named else "record-changed"
                    self.tell(time, code, name, number, claimed, "it is no record")
        for name in self.misnamed:
            body = self.archive.read(name)
            records = (read(line)[0] for line in split(body))
            first = next((record.id for record in records if record), None)
            finding = ("object-inserted", name, None, first, "no object of records has such a name")
            self.strange.append((MAX, sha256(body), finding))
        found = {digest for _, digest, _ in self.strange}
        for time, digest, (code, name, line, record, words) in self.gone:
            if digest in found:
                code, line, words = "object-moved", None, "it stands under another name"
            self.tell(time, code, name, line, record, words)
        for time, digest, (code, name, line, record, words) in self.strange:
            if self.wanted.get(digest, name) != name:
                code, line, words = "object-moved", None, "it was sealed under another name"
            self.tell(time, code, name, line, record, words)

    # 7

    def ends(self):
        self.begins_later = self.expired
        lowest = min(self.checkpoints, default=1)
        if lowest > 1:
            self.begins_later = True
            begins = self.oldest["from"] if self.oldest else None
            if not (begins and self.expired_until and begins <= self.expired_until):
                self.tell(MIN, "begins-later", checkpoint_key(1), words="the beginning is not there")
        if self.anchor and not self.anchored:
            self.tell(MAX, "anchor-missing", checkpoint_key(self.anchor[0]), words="it is not there")
        oldest_allowed = self.every + GRACE
        times = [time for time, _ in self.objects.values()]
        if not self.newest:
            self.tell(MAX if self.checkpoints else MIN, "never-sealed", words="nothing proves anything")
            return
        limit = stamp(self.as_of + CLOCKS) if self.as_of else MAX
        ends = [moment(time) for time in times if time <= limit] + ([self.as_of] if self.as_of else [])
        if ends and max(ends) - moment(self.newest["until"]) > oldest_allowed:
            number = self.newest["number"]
            time = self.newest["until"] if max(self.checkpoints) == number else MAX
            self.tell(time, "archive-cut-off", checkpoint_key(number + 1), words="the end is not there")

    # 8

    def chains(self):
        records = unsealed = duplicates = 0
        for grant, (seq, until) in self.heads.items():
            last = max((link[0] for link in self.links.get(grant, ())), default=0)
            if last < seq:
                self.tell(until, "grant-cut-off", None, None, event_id(grant, last + 1), "its end is not there")
        for grant, links in self.links.items():
            chosen = []
            for link in sorted(links, key=lambda link: link[:4]):
                seq, _, name, line, digest, _ = link
                if not chosen or chosen[-1][0] != seq:
                    chosen.append(link)
                elif chosen[-1][4] == digest:
                    duplicates += 1
                else:
                    time = self.objects[name][0]
                    self.tell(time, "record-inserted", name, line, event_id(grant, seq), "its id is another's")
            records += len(chosen)
            unsealed += sum(link[1] != SEALED for link in chosen)
            self.chain(grant, chosen)
        denials = len(self.denials)
        return {
            "records": records + denials,
            "duplicates": duplicates + sum(self.denials.values()) - denials,
            "grants": len(self.links),
            "denials": denials,
            "unsealed_records": unsealed + denials - len(self.denied_sealed),
        }

    def chain(self, grant, chosen):
        before, blamed = None, None
        for n, link in enumerate(chosen):
            seq, proof, name, line, digest, prev = link
            expected = before[0] + 1 if before else 1
            if seq != expected:
                missing = (event_id(grant, number) for number in range(expected, min(seq, expected + 10_000)))
                first = next((record for record in missing if record not in self.told), None)
                if first and not (before is None and self.begins_later):
                    words = "no object holds it"
                    self.tell(self.objects[name][0], "record-removed", None, None, first, words)
            elif prev != (before[4] if before else ZEROS) and not (before and before[0] == blamed):
                bad = link
                if before and before[1] != proof:
                    bad = before if before[1] > proof else link
                elif before and proof != SEALED and n + 1 < len(chosen):
                    after = chosen[n + 1]
                    if after[0] == seq + 1 and after[5] == digest:
                        bad = before
                blamed = bad[0]
                if event_id(grant, blamed) not in self.told:
                    time, record = self.objects[bad[2]][0], event_id(grant, blamed)
                    self.tell(time, "record-changed", bad[2], bad[3], record, "it does not fit its neighbours")
            before = link

    def run(self):
        self.list()
        self.trust()
        self.walk()
        self.rest()
        self.ends()
        counts = self.chains()

        def place(item):
            time, finding = item
            name, line, record = finding["object"], finding["line"], finding["record"]
            kind = 2 if name is None else 0 if name.startswith("events/") else 1
            line = sys.maxsize if line is None else line
            return time, kind, (name or "").encode(), line, CODES.index(finding["code"]), record or ""

        findings = [finding for _, finding in sorted(self.findings, key=place)]
        newest = self.newest and {name: self.newest[name] for name in ("number", "digest", "until")}
        return {
            "whole": not findings,
            "findings": findings,
            "checkpoints": len(self.checkpoints),
            "objects": len(self.objects),
            **counts,
            "newest": newest,
        }


def difference(listed, was, there, claims):
    """What was done to an object first."""
    name = listed["key"]
    for n in range(max(len(was), len(there))):
        old = was[n] if n < len(was) else None
        new = there[n] if n < len(there) else None
        if old == new:
            continue
        is_lost = old is not None and old not in there
        is_new = new is not None and new not in was
        sealed = listed["lines"][n]["id"] if old is not None else None
        claimed = claims[n] if new is not None else None
        if is_lost and is_new:
            code, record = "record-changed", sealed or claimed
        elif is_lost or (not is_new and len(there) < len(was)):
            code, record = "record-removed", sealed
        elif is_new or len(there) > len(was):
            code, record = "record-inserted", claimed
        else:
            code, record = "records-reordered", claimed or sealed
        return code, name, n + 1, record, "it is not what was sealed"
    return "object-changed", name, None, None, "it is not what was sealed"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--key")
    parser.add_argument("--anchor")
    parser.add_argument("--as-of")
    parser.add_argument("--copied-by")
    parser.add_argument("--every", type=float, default=3600)
    parser.add_argument("--expired-until")
    return parser.parse_args()


def main():
    asked = arguments()
    try:
        trusted = keys_in(Path(asked.key).read_bytes()) if asked.key else None
        anchor = None
        if asked.anchor:
            number, _, digest = asked.anchor.partition(":")
            must(number.isdecimal() and DIGEST.fullmatch(digest))
            anchor = (int(number), digest)
        must(all(is_time(time) for time in (asked.as_of, asked.copied_by, asked.expired_until) if time))
        as_of, copied_by = (moment(time) if time else None for time in (asked.as_of, asked.copied_by))
        every = timedelta(seconds=asked.every)
        archive = Archive(asked.folder)
        report = Verifier(archive, trusted, anchor, as_of, copied_by, every, asked.expired_until).run()
    except Bad:
        print("the key, the anchor or a time is not of its form", file=sys.stderr)
        return 2
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    json.dump(report, sys.stdout, ensure_ascii=False, indent=1)
    return 0 if report["whole"] else 1


if __name__ == "__main__":
    sys.exit(main())
