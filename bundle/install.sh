#!/bin/sh
# Installs the bundle that it lies in: sh install.sh --help
# It needs a Python and what every system has; nothing is asked of any network.
# The new version is made in a folder of its own and takes the place of the old one when it is whole.
set -eu

HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
NAME=hsr-town-twin
TRIED=
NEW=

help() {
    cat <<'HELP'
用法：sh install.sh [--prefix 文件夹] [--python 程序] [--link 文件夹 | --no-link]

  在没有网络的机器上安装本离线包。再次运行即升级或修复：新版本安装完整后才替换旧版本，
  中途中断或失败时旧版本不受影响。城市库等数据不在安装文件夹中，升级、卸载均不影响数据。

  --prefix 文件夹   安装位置（默认：root 为 /opt/hsr-town-twin，其他用户为 ~/.local/share/hsr-town-twin）
  --python 程序     使用的 Python（默认：本包支持的版本中找到的第一个）
  --link 文件夹     在此文件夹中建立 twin 命令的链接（默认：root 为 /usr/local/bin，其他用户为 ~/.local/bin）
  --no-link         不建立链接
  -h, --help        显示本说明

Usage: sh install.sh [--prefix FOLDER] [--python PROGRAM] [--link FOLDER | --no-link]

  Installs this bundle on a machine without network. Run again it upgrades or repairs: the new version takes the place
  of the old one when it is whole; a run that is interrupted or fails leaves the old one as it was. Towns do not lie in
  the folder of the program: neither an upgrade nor its removal touches them.

  --prefix FOLDER   where to install (default: /opt/hsr-town-twin for root, else ~/.local/share/hsr-town-twin)
  --python PROGRAM  the Python to use (default: the first that is found of those the bundle is for)
  --link FOLDER     folder for a link to the command twin (default: /usr/local/bin for root, else ~/.local/bin)
  --no-link         make no link
  -h, --help        show this

Exit codes · 退出码: 0 完成 done, 1 未安装 not installed, 2 用法错误 called wrongly
HELP
}

case "${TWIN_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in zh*) IN_CHINESE=yes ;; *) IN_CHINESE= ;; esac

# say 中文 English
say() { if [ -n "$IN_CHINESE" ]; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi; }

# stop CODE 中文 English
stop() {
    code=$1
    shift
    say "$@" >&2
    exit "$code"
}

fact() { sed -n "s/^$1=//p" "$HERE/BUNDLE"; }

# A path as it is meant from here, though the working folder changes.
absolute() { case "$1" in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$(pwd)" "$1" ;; esac; }

if [ "$(id -u)" = 0 ]; then
    PREFIX=/opt/$NAME LINK=/usr/local/bin
else
    PREFIX=${HOME:-}/.local/share/$NAME LINK=${HOME:-}/.local/bin
fi
PYTHON=
while [ $# -gt 0 ]; do
    case "$1" in
    -h | --help) help; exit 0 ;;
    --no-link) LINK= ;;
    --prefix=* | --python=* | --link=*)
        word=$1
        shift
        set -- "${word%%=*}" "${word#*=}" "$@"
        continue
        ;;
    --prefix | --python | --link)
        [ $# -ge 2 ] && [ -n "$2" ] || stop 2 "$1 缺少取值。用法见：sh install.sh --help" "$1 lacks its value. See: sh install.sh --help"
        case "$1" in --prefix) PREFIX=$(absolute "$2") ;; --python) PYTHON=$2 ;; --link) LINK=$(absolute "$2") ;; esac
        shift
        ;;
    *) stop 2 "不认识的选项：$1。用法见：sh install.sh --help" "Unknown option: $1. See: sh install.sh --help" ;;
    esac
    shift
done

[ -f "$HERE/BUNDLE" ] && [ -d "$HERE/wheelhouse" ] ||
    stop 1 "$HERE 不是完整的离线包：缺少 BUNDLE 或 wheelhouse。请重新解压离线包。" \
        "$HERE is no whole bundle: BUNDLE or wheelhouse is missing. Unpack the archive again."
VERSION=$(fact version) PYTHONS=$(fact pythons)

# Prints what is in the way of this Python, nothing where it can be used. In Python 2 too, for python may be one.
LOOK='
import platform, sys
here = "%d.%d" % sys.version_info[:2]
system, machine, glibc, pythons = sys.argv[1:5]
names = {"amd64": "x86_64", "arm64": "aarch64"}
wrong = []
if here not in pythons.split():
    wrong.append("Python %s (%s)" % (here, pythons))
elif platform.system().lower() != system or names.get(platform.machine().lower(), platform.machine()) != machine:
    wrong.append("%s %s (%s %s)" % (platform.system(), platform.machine(), system, machine))
else:
    name, libc = platform.libc_ver()
    number = lambda text: tuple(int(part) for part in text.split(".")[:2])
    if system == "linux" and (name != "glibc" or number(libc) < number(glibc)):
        wrong.append("C library %s %s (glibc %s)" % (name or "unknown", libc, glibc))
    for module in ("venv", "ssl", "zlib", "ctypes", "sqlite3", "pyexpat", "lzma"):
        try:
            __import__(module)
        except ImportError:
            wrong.append("module %s" % module)
    if not wrong:
        import sqlite3
        try:
            sqlite3.connect(":memory:").execute("CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)")
        except sqlite3.Error:
            wrong.append("SQLite %s without R-trees" % sqlite3.sqlite_version)
print("; ".join(wrong))
'
# -P and -s of newer Pythons: nothing of the working folder or of the user comes in.
unset PYTHONPATH PYTHONHOME || true
export PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 PYTHONUTF8=1

look() { "$1" -c "$LOOK" "$(fact system)" "$(fact machine)" "$(fact glibc)" "$PYTHONS" 2>/dev/null || echo "cannot be run"; }

if [ -n "$PYTHON" ]; then
    WRONG=$(look "$PYTHON")
    [ -z "$WRONG" ] || stop 1 "$PYTHON 不能使用：$WRONG（括号内为本包的要求）。请用 --python 指定另一个 Python。" \
        "$PYTHON cannot be used: $WRONG (in brackets what the bundle is for). Name another one with --python."
else
    for version in $PYTHONS; do
        for candidate in "python$version" "/usr/bin/python$version" "/usr/local/bin/python$version" python3 python; do
            command -v "$candidate" >/dev/null 2>&1 || continue
            WRONG=$(look "$candidate")
            if [ -z "$WRONG" ]; then PYTHON=$candidate; break 2; fi
            case "$TRIED" in *"$candidate: "*) ;; *) TRIED="$TRIED
  $candidate: $WRONG" ;; esac
        done
    done
    [ -n "$PYTHON" ] || stop 1 "未找到可用的 Python。本包适用于 $(fact system) $(fact machine) 上的 Python $PYTHONS。${TRIED:-}
请安装 Python，或用 --python 指定。" "No Python was found that can be used. The bundle is for Python $PYTHONS on $(fact system) $(fact machine).${TRIED:-}
Install one, or name it with --python."
fi
PYTHON=$(command -v "$PYTHON")
say "Python：$PYTHON" "Python: $PYTHON"

say "核对文件……" "Checking the files ..."
CHECK='
import hashlib, os, sys
here = sys.argv[1]
listed = dict(reversed(line.rstrip("\n").split("  ", 1)) for line in open(os.path.join(here, "SHA256SUMS"), encoding="utf-8"))
def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()
wrong = [name for name, sha in listed.items() if not os.path.isfile(os.path.join(here, name)) or digest(os.path.join(here, name)) != sha]
wrong += [name for file in os.listdir(os.path.join(here, "wheelhouse")) for name in ["wheelhouse/" + file] if name not in listed]
print("\n".join("  " + name for name in wrong))
'
WRONG=$("$PYTHON" -c "$CHECK" "$HERE") || stop 1 "SHA256SUMS 无法读取。请重新复制离线包。" "SHA256SUMS cannot be read. Copy the bundle again."
[ -z "$WRONG" ] || stop 1 "以下文件与 SHA256SUMS 不符，未安装：
$WRONG
请重新复制离线包。" "These files are not those of SHA256SUMS; nothing was installed:
$WRONG
Copy the bundle again."

mkdir -p "$PREFIX/versions" 2>/dev/null && [ -w "$PREFIX/versions" ] ||
    stop 1 "不能写入 $PREFIX。请用 --prefix 指定可写的文件夹，或以 root 运行。" \
        "$PREFIX cannot be written to. Name another folder with --prefix, or run this as root."
if command -v flock >/dev/null 2>&1; then
    exec 9>"$PREFIX/.lock"
    flock -n 9 || stop 1 "另一个安装正在 $PREFIX 中进行。请待其结束后再运行。" "Another installation is at work in $PREFIX. Run this again when it has ended."
fi

# What an interrupted run has left; a whole version bears a mark.
for folder in "$PREFIX"/versions/*; do
    [ -d "$folder" ] && [ ! -f "$folder/.whole" ] && rm -rf "$folder"
done
number=1
while [ -e "$PREFIX/versions/$VERSION-$number" ]; do number=$((number + 1)); done
NEW=$PREFIX/versions/$VERSION-$number
discard() {
    [ -n "$NEW" ] && [ ! -f "$NEW/.whole" ] && rm -rf "$NEW"
    return 0
}
trap 'discard' EXIT
trap 'exit 130' INT TERM HUP

say "安装到 $NEW ……" "Installing into $NEW ..."
mkdir "$NEW"
LOG=$NEW/install.log
PIP=$(ls "$HERE"/wheelhouse/pip-*.whl 2>/dev/null) || stop 1 "wheelhouse 中没有 pip。请重新复制离线包。" "The wheelhouse has no pip. Copy the bundle again."
give_up() {
    tail -n 15 "$LOG" >&2
    stop 1 "安装失败，原有版本未改动。以上为日志末尾。" "The installation failed; what was installed before is unchanged. Above is the end of its log."
}
"$PYTHON" -m venv --without-pip "$NEW" >"$LOG" 2>&1 || give_up
# --isolated: no setting of this machine or user leads pip to an index.
pip() { "$NEW/bin/python" "$PIP/pip" --isolated --disable-pip-version-check --no-cache-dir "$@"; }
pip install --no-index --find-links "$HERE/wheelhouse" -c "$HERE/constraints.txt" "$NAME[notebook]==$VERSION" pip >>"$LOG" 2>&1 || give_up
"$NEW/bin/twin" --help >>"$LOG" 2>&1 || give_up
for document in README.md README.zh-CN.md CHANGELOG.md LICENSE NOTICE docs licences; do cp -R "$HERE/$document" "$NEW/"; done
: >"$NEW/.whole"

# One step for whoever starts twin in this moment: the link is the old one or the new one.
REPLACE='import os, sys; os.path.lexists(sys.argv[2] + ".new") and os.remove(sys.argv[2] + ".new"); os.symlink(sys.argv[1], sys.argv[2] + ".new"); os.replace(sys.argv[2] + ".new", sys.argv[2])'
OLD=$(readlink "$PREFIX/current" 2>/dev/null || true)
"$PYTHON" -c "$REPLACE" "versions/$VERSION-$number" "$PREFIX/current"
# The version that was current stays, for services that still run on it and for going back; those before it go.
for folder in "$PREFIX"/versions/*; do
    case "versions/${folder##*/}" in "versions/$VERSION-$number" | "$OLD") ;; *) rm -rf "$folder" ;; esac
done

TWIN=$PREFIX/current/bin/twin
if [ -n "$LINK" ]; then
    if [ -e "$LINK/twin" ] && [ ! -L "$LINK/twin" ]; then
        say "$LINK/twin 已存在且不是链接，未改动。" "$LINK/twin exists and is no link; it stays as it is."
    elif mkdir -p "$LINK" 2>/dev/null && "$PYTHON" -c "$REPLACE" "$TWIN" "$LINK/twin" 2>/dev/null; then
        case ":$PATH:" in *":$LINK:"*) TWIN=twin ;; *) TWIN=$LINK/twin ;; esac
    else
        say "不能在 $LINK 中建立链接。" "No link could be made in $LINK."
    fi
fi

say "" ""
"$PREFIX/current/bin/twin" --town "${TWIN_TOWN:-town}" doctor --environment ||
    say "以上缺失的部分请先补齐。" "Mend what is missing above first."
[ -z "$OLD" ] || say "原版本保留在 $PREFIX/$OLD。退回：ln -sfn $OLD $PREFIX/current" "The version before stays in $PREFIX/$OLD. To go back: ln -sfn $OLD $PREFIX/current"
say "
已安装 $NAME $VERSION：$PREFIX/current
接下来：
  $TWIN demo                           在空文件夹中运行：生成示例城市库并发布，然后打开 http://127.0.0.1:8000/
  $TWIN --town 城市库 init --name 名称 --crs EPSG:4548      建立自己的城市库
  正在运行的服务请重启。说明书：$PREFIX/current/docs/install.md
卸载：rm -rf $PREFIX（数据不在其中）" "
$NAME $VERSION is installed: $PREFIX/current
What to do next:
  $TWIN demo                           in an empty folder: makes the sample town and serves it at http://127.0.0.1:8000/
  $TWIN --town town init --name Name --crs EPSG:4548        a town of your own
  Restart services that are running. The manual: $PREFIX/current/docs/install.md
To remove it: rm -rf $PREFIX (no data lie there)"
