"""What scripts/check looks for in documents: claims, wording and links."""
import os
import re

# What puts us before another allocator, and the allocators.
CLAIMS = re.compile(r"\b(ahead of|(faster|quicker|smaller|better|leaner) than|"
                    r"outperforms?|beats?|outruns?)\b", re.I)
PEERS = re.compile(r"\b((?:jemalloc|mimalloc|tcmalloc|gperftools|glibc|"
                   r"rpmalloc|snmalloc|peers?)\b(?:'s)?)(\s+v?\d+\.\d+\S*)?",
                   re.I)
YEAR = re.compile(r"\b20\d\d\b")


def claims_without_release(text):
    """The sentences of a Markdown text that put mound before a peer and do not
    say which release of it that was and of which year. Tables and code are
    figures, not sentences."""
    text = re.sub(r"^```.*?^```", "\n\n", text, flags=re.M | re.S)
    text = re.sub(r"^\|.*$", "\n", text, flags=re.M)
    wrong = []
    for sentence in re.split(r"(?<=[.;:!?])\s+(?=[A-Z`*])|\n\s*\n|\n(?=- )",
                             text):
        peers = PEERS.findall(sentence)
        if CLAIMS.search(sentence) and peers and (
                not all(release for _, release in peers)
                or not YEAR.search(sentence)):
            wrong.append(" ".join(sentence.split()))
    return wrong


# Wording that documents and man pages do not use: nouns that act like people, and
# promises that are not kept.
WORDING = re.compile(r"\b(stands? aside|holds nobody up|(is )?made to come by|"
                     r"however it ends|not in it (are|is)|want(s)? (an|its|their) "
                     r"end|a (link|device) is replaced|do(es)? no harm|"
                     r"(is|are|be|was) looked at|in the place of|comes? by|nobody "
                     r"(answers|sees|can)|deserves?|whoever|who makes|be it|(wait|"
                     r"sample|shows?) (for )?so (long|many|much))\b", re.I)


def headings(text):
    """The anchors of the headings of a Markdown text, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.M)}


def broken_links(name, text, exists, anchors):
    """The links of a Markdown text, and its names of files in backticks, that
    lead nowhere. exists tells whether a path from the root is there, anchors
    gives the headings of a file."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(name), path)) \
            if path else name
        if not exists(path) or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    for path in re.findall(r"`((?:alloc|map|preload|scripts|tests)/[\w./-]+)`",
                           text):
        # A folder has files of its own name: map/ is also alloc/../map.
        if not exists(path.rstrip("/")) and \
                not exists(os.path.join(os.path.dirname(name), path)):
            wrong.append("`%s`" % path)
    return wrong
