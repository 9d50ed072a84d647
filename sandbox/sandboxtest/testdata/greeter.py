"""The web server that example_test.go tests."""
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        status, text = 400, "who?"
        if "name" in query:
            status, text = 200, "Hello, " + query["name"][0] + "!"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


HTTPServer(("127.0.0.1", 8000), Greeter).serve_forever()
