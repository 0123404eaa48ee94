"""The documents are true: what is made from the source is up to date, what they name is there, each promise names its test."""
import importlib.util
import re
import shutil

import pytest

from conftest import ROOT, VITCC, run

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "models/README.md"]
# Which folders of the compiler each of them may include: base <- ir <- {frontend, passes, plan <- codegen} <- driver.
BELOW = {"base": set(), "ir": {"base"}, "frontend": {"base", "ir"}, "passes": {"base", "ir"}, "plan": {"base", "ir"}, "codegen": {"base", "ir", "plan"}}


@pytest.mark.parametrize("name", ["errors", "operators", "models"])
def test_made_from_the_source(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/make_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.text() == (ROOT / f"docs/{name}.md").read_text(), f"run python3 docs/make_{name}.py"


def promises():
    """(promise, [file, name of a test]…) of each row of the tables."""
    for row in re.findall(r"^\| (.*) \| (.*) \|$", (ROOT / "docs/promises.md").read_text(), re.MULTILINE):
        if row != ("promise", "held by"):
            yield row[0], re.findall(r"`(tests/[^`]*)`", row[1])


def has_test(file, name):
    """A Python function, or a C function that its program runs."""
    path = ROOT / file
    text = path.read_text() if path.is_file() else ""
    return re.search(rf"^def {name}\(" if path.suffix == ".py" else rf"cmocka_unit_test\w*\({name}[,)]", text, re.MULTILINE) is not None


def test_each_promise_has_its_test():
    missing, rows = [], list(promises())
    assert len(rows) > 40
    for promise, tests in rows:
        assert tests, promise
        missing += [test for test in tests if not has_test(*test.split("::"))]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_every_document_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [p.name for p in DOCUMENTS[2:-1] if f"(docs/{p.name})" not in readme] == []


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.name != "errors.md"], ids=lambda d: str(d.relative_to(ROOT)))
def test_files_that_are_named_are_there(document):
    """Paths from the root, in backquotes; * is any text, FOLDER and <name> are the reader's, build/ is made."""
    for path in re.findall(r"`((?:compiler|runtime|templates|models|tests|docs)/[\w./*-]*)`", document.read_text()):
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_folders_depend_one_way():
    for folder, below in BELOW.items():
        for source in (ROOT / "compiler" / folder).iterdir():
            for included in re.findall(r'#include "([^"]*)"', source.read_text()):
                target = (source.parent / included).resolve()
                other = target.parent.name if target.parent.parent == ROOT / "compiler" else folder
                assert other in below | {folder}, f"{source.relative_to(ROOT)} includes {included}"


def test_the_readme_lists_the_folder(tmp_path):
    """All that is written, row by row; rows that begin with an option's name tell what comes with it."""
    section = (ROOT / "README.md").read_text().partition("## The folder it writes")[2].partition("\n## ")[0]
    listed = {"": set()}
    for names, text in re.findall(r"^\| (`.*) \| (.*) \|$", section, re.MULTILINE):
        option = re.match(r"(?:with `(.*?)`)?", text)[1] or ""
        # The levels of vit_kernels.c are told by their endings.
        listed.setdefault(option, set()).update(f"vit_kernels{n}.c" if n.startswith("_") else n.strip("/") for n in re.findall(r"`([^`]+)`", names))
    for option, names in listed.items():
        run(VITCC, "compile", ROOT / "models/digits/digits.onnx", "-o", tmp_path / "out", "--name", "vit", "-q", *option.split())
        written = {p.name for p in (tmp_path / "out").iterdir() if p.name != ".vitcc"}
        assert names == written if not option else names <= written, option
        shutil.rmtree(tmp_path / "out")


def test_the_changelog_tells_this_version():
    version = run(VITCC, "--version").stdout.split()[1]
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == version
