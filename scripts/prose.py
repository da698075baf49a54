"""What scripts/check looks for in documents: claims, wording and links."""
import os
import re

# Phrases that compare mound with another allocator, and the allocators.
CLAIMS = re.compile(r"\b(ahead of|(faster|quicker|smaller|better|leaner) than|"
                    r"outperforms?|beats?|outruns?)\b", re.I)
PEERS = re.compile(r"\b((?:jemalloc|mimalloc|tcmalloc|gperftools|glibc|"
                   r"rpmalloc|snmalloc|peers?)\b(?:'s)?)(\s+v?\d+\.\d+\S*)?",
                   re.I)
YEAR = re.compile(r"\b20\d\d\b")


def claims_without_release(text):
    """The sentences of a Markdown text that compare mound with a peer without its release
    and the year. Tables and code are not sentences."""
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


# Phrases that documents and man pages must not have: things that act like people, and
# promises that are not kept.
WORDING = re.compile(r"\b(stands? aside|holds nobody up|(is )?made to come by|"
                     r"however it ends|not in it (are|is)|want(s)? (an|its|their) "
                     r"end|a (link|device) is replaced|do(es)? no harm|"
                     r"(is|are|be|was) looked at|in the place of|comes? by|nobody "
                     r"(answers|sees|can)|deserves?|whoever|who makes|be it|(wait|"
                     r"sample|shows?) (for )?so (long|many|much)|grow by so much|"
                     r"at the begin|tells who|stands? in for|tells whether|the way round|(?<![.])1 (bytes|objects|"
                     r"threads|times|pages|mallocs))\b", re.I)

# Wording that the comments of the lower floors do not use: threads and functions
# as people, and riddles about memory.
COMMENTED = ["alloc/%s/*.[ch]" % floor
             for floor in ("os", "base", "heap", "prof", "out")]
COMMENT_WORDING = re.compile(
    r"\b(whoever|nobody|somebody|comes? by|in the place of|an eye on|the slow way|"
    r"in hands?|(is|are|be|was) told of|stands? (behind|beside|there|aside)|memory "
    r"(stands )?behind|goes on with|melts?|that is no matter|does no harm|looked at|"
    r"as many as (it|there)|who (has|is|makes|counts|reads|hears)|be it)\b", re.I)


def comments(text):
    """The // comments of a C text, each run of lines as one line."""
    lines = [re.sub(r"^(?:[^\"/]|\"(?:\\.|[^\"\\])*\"|/(?!/))*//", "", line)
             if "//" in line else "\n" for line in text.split("\n")]
    return " ".join(lines)


def unplain(name, text):
    """The words of a document, or of the comments of a C file, that are to be
    replaced by plain ones."""
    if name.endswith((".c", ".h")):
        return [m.group() for m in COMMENT_WORDING.finditer(comments(text))]
    return [m.group() for m in WORDING.finditer(" ".join(text.split()))]


def headings(text):
    """The anchors of the headings of a Markdown text, as GitHub makes them: of a link
    its text, and of equal headings the second with -1."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    found = {}
    for title in re.findall(r"^#+ (.*)$", text, re.M):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        n = sum(a == anchor for a in found.values())
        found[anchor + ("-%d" % n if n else "")] = anchor
    return set(found)


# What a comment before a block says of it, see tests/preload/documents.py.
MARK = r"(run|output|sample|not run: \S.*|file: \S+|figures: \S.*|picture: \S.*)"


def unmarked_blocks(name, text):
    """The first lines of blocks that no comment says of whether they run, and of blocks
    in a form that the tests do not read: indented, or between tildes."""
    if not name.endswith(".md"):
        lines = text.split("\n")
        return [lines[i + 1] for i, line in enumerate(lines) if line == ".EX" and
                not re.match(r"\.\\\" %s$" % MARK, lines[i - 1])]
    wrong, before, inside = [], "", False
    for line in text.split("\n"):
        fence = re.match(r"\s*(```|~~~)", line)
        if fence and (line[0].isspace() or fence[1] == "~~~"):
            wrong.append(line)
        elif fence:
            if not inside and not re.match(r"<!-- %s -->$" % MARK, before):
                wrong.append(line)
            inside = not inside
        before = line
    return wrong


# Where it is said how figures were measured.
COMMAND = re.compile(r"<!-- figures: |\b(scripts|tests|map/examples)/\w|\bcallgrind\b")


def figures_without_command(text):
    """The headings of sections that have a table of figures and no command, in a
    document of figures."""
    return [part.partition("\n")[0] for part in re.split(r"^(?=#+ )", text, flags=re.M)
            if re.search(r"^\|.*\| *\**\d", part, re.M) and not COMMAND.search(part)]


def broken_links(name, text, exists, anchors):
    """The links and the file names in backticks of a Markdown text that lead
    nowhere. exists says whether a path from the root exists, anchors returns the
    headings of a file."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    wrong = []
    links = re.findall(r"\]\(\s*<?([^)\s>]+)", text)
    links += re.findall(r"\b(?:href|src)=[\"']([^\"']+)", text)
    links += re.findall(r"^\[[^\]]+\]: *(\S+)", text, re.M)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(name), path)) \
            if path else name
        if not exists(path) or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    for path in re.findall(r"`((?:alloc|map|preload|scripts|tests)/[\w./-]+)`",
                           text):
        # A path may be relative to the root or to the document's folder.
        if not exists(path.rstrip("/")) and \
                not exists(os.path.join(os.path.dirname(name), path)):
            wrong.append("`%s`" % path)
    return wrong
