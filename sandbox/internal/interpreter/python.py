# The part of an interpreter session that runs inside, for Python. It takes code from
# descriptor 3, in lines of JSON, and sends back the results in the same form.
# "requests", the buffered reader of that descriptor, is there already.

import __future__
import ast
import base64
import builtins
import fcntl
import importlib
import io
import json
import linecache
import os
import signal
import sys
import threading
import traceback
import types
from importlib.machinery import PathFinder

try:
    import resource
except ImportError:
    resource = None

OWN = "<drydock>"  # the name that this file is compiled under
TEXT = 1 << 20  # characters of a repr or a traceback
FORMS = 20 << 20  # bytes of all forms of a value
FRAMES = 100

PID = os.getpid()
MAIN = threading.main_thread()
LOCK = threading.Lock()



def out_of_the_way(fd):
    """A copy of fd with a number out of reach of code that uses the first descriptors."""
    for lowest in (500, 100, 10):
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            pass  # above the limit
    return fd


CONFIG = json.loads(requests.readline())  # the host sends no more until it hears of us
CONTROL = out_of_the_way(3)
SOCKET = os.fstat(CONTROL).st_ino
requests = open(CONTROL, "rb")
if CONTROL != 3:
    os.close(3)
# Code may close or redirect 1 and 2: the marks go to where they led at the start.
MARKED = (out_of_the_way(1), out_of_the_way(2))

running = False  # an interrupt is for the code
sending = False  # an interrupt has to wait
pending = False  # an interrupt waits


def on_interrupt(signum, frame):
    global pending
    if running and sending:
        pending = True
    elif running:
        raise KeyboardInterrupt


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def send(message):
    global sending, pending
    if os.getpid() != PID:
        return  # a fork must not answer
    data = json.dumps(message).encode() + b"\n"
    if os.fstat(CONTROL).st_ino != SOCKET:
        os._exit(70)  # the code has put a file of its own there
    main = threading.current_thread() is MAIN
    if main:
        sending = True
    with LOCK:
        write_all(CONTROL, data)
    if main:
        sending = False
        if pending:
            pending = False
            raise KeyboardInterrupt


def cut(text):
    if len(text) > TEXT:
        return text[:TEXT] + "... %d characters left out" % (len(text) - TEXT)
    return text


METHODS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_latex_", "text/latex"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
)
PLAIN = (dict, list, tuple, str, int, float, bool)


def figure_class():
    module = sys.modules.get("matplotlib.figure")
    return getattr(module, "Figure", ())


def figure_forms(figure):
    formats = {"png": "image/png"}
    if CONFIG["svg"]:
        formats["svg"] = "image/svg+xml"
    forms = {}
    for name, kind in formats.items():
        out = io.BytesIO()
        figure.savefig(out, format=name, bbox_inches="tight")
        forms[kind] = out.getvalue()
    return forms


def forms_of(value):
    """The forms of a value, as text or bytes by MIME type."""
    forms = {}
    if isinstance(value, figure_class()):
        forms = figure_forms(value)
    else:
        # The type is asked: the object itself may answer every name.
        bundle = getattr(type(value), "_repr_mimebundle_", None)
        if bundle is not None:
            try:
                given = bundle(value, include=None, exclude=None)
                if isinstance(given, tuple):
                    given = given[0]
                for kind, form in (given or {}).items():
                    if kind == "application/json":
                        form = json.dumps(form)
                    forms[kind] = form
            except Exception:
                pass
        for name, kind in METHODS:
            method = getattr(type(value), name, None)
            if method is None or kind in forms:
                continue
            try:
                form = method(value)
                if isinstance(form, tuple):
                    form = form[0]
                if form is not None:
                    forms[kind] = form
            except Exception:
                pass
        if type(value) in PLAIN:
            try:
                forms["application/json"] = json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError):
                pass
    forms["text/plain"] = cut(repr(value))
    return forms


def show(forms, value=False):
    encoded, left, size = {}, "", 0
    for kind, form in forms.items():
        if not isinstance(form, (str, bytes)):
            continue
        if isinstance(form, str):
            if kind in ("image/png", "image/jpeg"):
                form = base64.b64decode(form)  # as a mimebundle has it
            else:
                form = form.encode("utf-8", "backslashreplace")
        if size + len(form) > FORMS:
            left += "\n[%s of %d bytes left out]" % (kind, len(form))
            continue
        size += len(form)
        encoded[kind] = form
    if left:
        encoded["text/plain"] = encoded.get("text/plain", b"") + left.encode()
    send(
        {
            "display": {k: base64.b64encode(v).decode() for k, v in encoded.items()},
            "value": value,
        }
    )


def display(*values, **ignored):
    """Show values in the richest forms that they have."""
    for value in values:
        show(forms_of(value))
        close_figure(value)


def close_figure(value):
    if isinstance(value, figure_class()):
        helpers = sys.modules.get("matplotlib._pylab_helpers")
        if helpers is not None:
            helpers.Gcf.destroy_fig(value)


def show_figures(*ignored, **also_ignored):
    """Show the open figures of pyplot, and close them."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is None:
        return
    try:
        for manager in helpers.Gcf.get_all_fig_managers():
            figure = manager.canvas.figure
            if len(figure.get_children()) > 1:  # more than its background
                display(figure)
    finally:
        helpers.Gcf.destroy_all()


def patch_pyplot(module):
    module.show = show_figures
    figure = figure_class()
    if figure:
        figure.show = lambda self, *a, **k: display(self)


def patch_image(module):
    module.Image.show = lambda self, *a, **k: display(self)


class Patches:
    """Imports modules that would open a window, and makes them show here instead."""

    after = {"matplotlib.pyplot": patch_pyplot, "PIL.Image": patch_image}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        patch = cls.after.get(name)
        spec = PathFinder.find_spec(name, path, target) if patch else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            try:
                patch(module)
            except Exception:
                pass  # another version, which is left as it is

        spec.loader.exec_module = exec_module
        return spec


def library(name):
    """A slow module of the standard library, whatever is in the work dir."""
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if entry != ""]
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = path


class Session:
    def __init__(self):
        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.names["__builtins__"] = builtins
        sys.modules["__main__"] = self.module
        self.flags = 0  # flags of __future__, which stay for later runs
        self.loop = None
        self.count = 0

    def run(self, code):
        self.count += 1
        name = "<cell %d>" % self.count
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        tree = self.compile(code, name, "exec", ast.PyCF_ONLY_AST)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        value = None
        if tree.body:
            self.evaluate(self.compile(tree, name, "exec"))
        if last is not None:
            value = self.evaluate(self.compile(last, name, "eval"))
            line = code.encode().splitlines()[last.body.end_lineno - 1]
            if line[last.body.end_col_offset :].lstrip(b" \t)").startswith(b";"):
                value = None
        if value is None:
            return
        builtins._ = value
        forms = forms_of(value)
        close_figure(value)
        show_figures()
        show(forms, True)

    def compile(self, source, name, mode, flags=0):
        flags |= self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, name, mode, flags, dont_inherit=True)
        if isinstance(code, types.CodeType):
            for feature in __future__.all_feature_names:
                flag = getattr(__future__, feature).compiler_flag
                self.flags |= code.co_flags & flag
        return code

    def evaluate(self, code):
        value = eval(code, self.names)
        if code.co_flags & 0x80:  # inspect.CO_COROUTINE: it awaits
            asyncio = library("asyncio")
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self.loop)
            task = self.loop.create_task(value)
            try:
                value = self.loop.run_until_complete(task)
            except BaseException:
                if not task.done():
                    # An interrupt stops the loop, and would leave the task to the next await.
                    task.cancel()
                    self.loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
                raise
        return value


def text_of(value):
    """str(value), whatever that does."""
    try:
        return cut(str(value))
    except BaseException:
        return "<what cannot be told>"


def number_of(value):
    return value if type(value) is int and 0 <= value < 1 << 31 else 0


def exception_of(error):
    told = {"name": text_of(getattr(type(error), "__name__", "")), "value": text_of(error)}
    try:
        tb = error.__traceback__
        while tb is not None and tb.tb_frame.f_code.co_filename == OWN:
            tb = tb.tb_next
        whole = traceback.TracebackException(type(error), error, tb)
        one, seen = whole, set()
        while one is not None and id(one) not in seen:
            seen.add(id(one))
            one.stack[:] = [f for f in one.stack if f.filename != OWN]
            one = one.__cause__ or one.__context__
        frames = [
            {
                "file": text_of(f.filename),
                "line": number_of(f.lineno),
                "function": text_of(f.name),
                "text": text_of(f.line or ""),
            }
            for f in whole.stack
        ]
        if len(frames) > FRAMES:
            frames = frames[: FRAMES // 2] + frames[-FRAMES // 2 :]
        if isinstance(error, SyntaxError) and error.filename:
            text = text_of(error.text or "").strip()
            frames.append({"file": text_of(error.filename), "line": number_of(error.lineno), "function": "", "text": text})
        told["traceback"] = frames
        told["text"] = cut("".join(whole.format()))
    except BaseException:
        # It cannot be shown.
        told["text"] = told["name"] + ": " + told["value"]
    return told


def exit_of(error):
    """The exit code of a SystemExit, as a program would have it."""
    try:
        code = error.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        print(code, file=sys.stderr)
    except BaseException:
        pass
    return 1


def answer(session, code, number):
    """Run code, and tell how it ended."""
    global running, pending
    error = None
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        try:
            running = True
            send({"begun": number})
            try:
                session.run(code)
            finally:
                show_figures()
        finally:
            running = False
    except BaseException as e:
        error = e
    running = pending = False
    code = 0
    told = {}
    if isinstance(error, SystemExit):
        code = exit_of(error)
    elif error is not None:
        code = 1
        told["exception"] = exception_of(error)
    told["exit"] = code
    return told


def cpu():
    """User and system seconds of this process and of the children that it waited for."""
    if resource is None:
        t = os.times()
        return t.user + t.children_user, t.system + t.children_system
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + children.ru_utime, own.ru_stime + children.ru_stime


def flush():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass  # the code closed it, or put something else there


def main():
    mark = CONFIG["mark"]
    sys.argv = [""]
    sys.path.insert(0, "")  # as it was before the start removed it
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    signal.signal(signal.SIGINT, on_interrupt)
    sys.meta_path.insert(0, Patches)
    builtins.display = display
    session = Session()
    send({"ready": "Python %d.%d.%d" % sys.version_info[:3]})
    for line in iter(requests.readline, b""):
        request = json.loads(line)
        before = cpu()
        told = answer(session, request["code"], request["run"])
        flush()
        if os.getpid() != PID:
            os._exit(told["exit"])
        after = cpu()
        told["done"] = request["run"]
        told["user"] = after[0] - before[0]
        told["system"] = after[1] - before[1]
        for fd in MARKED:
            try:
                write_all(fd, (mark + "%08x;" % request["run"]).encode())
            except OSError:
                pass  # nobody reads it any more
        send(told)


main()
