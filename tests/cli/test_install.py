"""vitcc installed or packaged works alone: templates and runtime travel inside it, source and build trees may go."""
import shutil

from conftest import ROOT, VITCC, run

DIGITS = ROOT / "models/digits/digits.onnx"
SOURCES = ("CMakeLists.txt", "README.md", "CHANGELOG.md", "LICENSE", "LICENSE.libxsmm", "compiler", "runtime", "templates", "docs")


def build_and_pack(folder):
    """folder/prefix (installed) and folder/packages, from copies of source and build tree that are gone afterwards."""
    source, build = folder / "source tree", folder / "build tree"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, source / name)
    run("cmake", "-S", source, "-B", build, "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O0")
    run("cmake", "--build", build, "-j", 2)
    run("cmake", "--install", build, "--prefix", folder / "prefix")
    run("cpack", "-G", "TGZ;DEB", "-B", folder / "packages", cwd=build)
    shutil.rmtree(source)
    shutil.rmtree(build)


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def compiles_digits(vitcc, folder):
    """The same bytes as from the compiler under test, whose projects other tests build and run."""
    folder.mkdir()
    run(vitcc, "compile", DIGITS, "-o", folder / "got", "-q", cwd="/")
    run(VITCC, "compile", DIGITS, "-o", folder / "want", "-q")
    assert files(folder / "got") == files(folder / "want")
    for name in files(folder / "want"):
        assert (folder / "got" / name).read_bytes() == (folder / "want" / name).read_bytes(), name
    shutil.rmtree(folder)


def check_debian_package(package, folder):
    def field(name):
        return run("dpkg-deb", "-f", package, name).stdout.strip()

    version = run(VITCC, "--version").stdout.split()[1]
    assert package.name.startswith(f"vitcc_{version}_") and field("Package") == "vitcc" and field("Version") == version
    assert {"libc6", "libprotobuf-c1", "libjansson4"} <= {d.split()[0] for d in field("Depends").split(",")}
    run("dpkg-deb", "-x", package, folder)


def test_installed_and_packaged_it_works_without_its_trees(tmp_path):
    build_and_pack(tmp_path)
    documents = {"README.md", "CHANGELOG.md", "LICENSE", "LICENSE.libxsmm", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))}
    assert files(tmp_path / "prefix") == {"bin/vitcc", *(f"share/doc/vitcc/{name}" for name in documents)}
    compiles_digits(tmp_path / "prefix/bin/vitcc", tmp_path / "installed")

    archive, = (tmp_path / "packages").glob("*.tar.gz")
    (tmp_path / "archive").mkdir()
    run("tar", "-xzf", archive, "--strip-components=1", "-C", tmp_path / "archive")
    assert files(tmp_path / "archive") == files(tmp_path / "prefix")
    compiles_digits(tmp_path / "archive/bin/vitcc", tmp_path / "unpacked")

    package, = (tmp_path / "packages").glob("*.deb")
    check_debian_package(package, tmp_path / "deb")
    assert files(tmp_path / "deb/usr") == files(tmp_path / "prefix")
    compiles_digits(tmp_path / "deb/usr/bin/vitcc", tmp_path / "debian")
    assert str(tmp_path).encode() not in (tmp_path / "deb/usr/bin/vitcc").read_bytes(), "it names the folder where it was built"
