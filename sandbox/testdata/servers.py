"""The servers of ports_test.go, on the standard library alone."""
import base64, hashlib, os, socket, struct, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body are two writes

    def log_message(self, *args):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/events":
            self.events()
        elif self.path == "/echo":
            self.websocket()
        elif self.path == "/client":
            self.answer(b"%s:%d" % (self.client_address[0].encode(), self.client_address[1]))
        else:
            if self.path == "/next":
                go_on.set()
            self.answer(b"hello " + self.path.encode())

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def events(self):
        """The second event comes only after the first has been seen."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        go_on.wait()
        self.wfile.write(b"data: 2\n\n")

    def websocket(self):
        """RFC 6455, for messages of one frame."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            first, n = self.rfile.read(2)
            n &= 0x7F
            if n == 126:
                (n,) = struct.unpack(">H", self.rfile.read(2))
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(n)))
            length = bytes([n]) if n < 126 else struct.pack(">BH", 126, n)
            self.wfile.write(bytes([first]) + length + data)
            if first & 0xF == 8:
                return


class HTTP(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def echo(c):
    """Sends back what comes; after the end it says goodbye."""
    while data := c.recv(1 << 16):
        c.sendall(data)
    c.sendall(b"bye")
    c.close()


def reset(c):
    """Sends a greeting, waits for a byte, and gives the connection up."""
    c.sendall(b"hi")
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def half(c):
    """Says all it has to say, and then takes what comes into a file."""
    c.sendall(b"that is all")
    c.shutdown(socket.SHUT_WR)
    data = b""
    while part := c.recv(1 << 16):
        data += part
    with open("half.part", "wb") as f:
        f.write(data)
    os.rename("half.part", "half")


def fate(c):
    """Notes how the connection ends, seen from here."""
    try:
        while c.recv(1 << 16):
            pass
        how = "end"
    except ConnectionResetError:
        how = "reset"
    with open("fate.part", "w") as f:
        f.write(how)
    os.rename("fate.part", "fate")


def hold(c):
    """Neither reads nor says anything."""
    threading.Event().wait()


def serve(s, handle):
    def run(c):
        with c:
            handle(c)

    def loop():
        while True:
            threading.Thread(target=run, args=(s.accept()[0],), daemon=True).start()

    s.listen(128)
    threading.Thread(target=loop, daemon=True).start()


def tcp(port, handle, host="127.0.0.1", family=socket.AF_INET):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    serve(s, handle)


def unix(name, handle):
    s = socket.socket(socket.AF_UNIX)
    s.bind(name)
    serve(s, handle)


tcp(8001, echo)
tcp(8002, reset)
tcp(8003, half)
tcp(8004, hold)
tcp(8005, fate)
try:
    tcp(8006, echo, "::1", socket.AF_INET6)
except OSError:
    pass  # containers often have no IPv6, not even on the loopback interface
unix("echo.sock", echo)
unix("\0echo", echo)
HTTP(("0.0.0.0", 8000), Handler).serve_forever()
