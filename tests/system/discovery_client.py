"""A client of the API made from its discovery document: discovery_client.py SOCKET

Makes a method of each that the document describes, calls all of them, and checks every answer
against the schema it names. Prints one line for each call; ends with 1 at the first difference.
"""
import http.client
import json
import socket
import sys
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("fleet")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Client:
    def __init__(self, path):
        self.connection = UnixConnection(path)
        self.document = json.loads(self.send("GET", "/fleet/v1/discovery")[1])
        assert self.document["kind"] == "discovery#restDescription"
        self.uncalled = {
            method["id"]
            for resource in self.document["resources"].values()
            for method in resource["methods"].values()
        }

    def send(self, method, path, body=None):
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def call(self, resource, name, body=None, **parameters):
        method = self.document["resources"][resource]["methods"][name]
        path = method["path"]
        query = {}
        for key, value in parameters.items():
            where = method["parameters"][key]["location"]
            if where == "path":
                path = path.replace("{" + key + "}", urllib.parse.quote(value))
            else:
                query[key] = value
        for key in method.get("parameterOrder", []):
            assert key in parameters, "%s wants %s" % (method["id"], key)
        if body is not None:
            self.check(method["request"]["$ref"], body)
            body = json.dumps(body)
        target = self.document["basePath"] + path
        if query:
            target += "?" + urllib.parse.urlencode(query)
        status, text = self.send(method["httpMethod"], target, body)
        print(method["id"], status)
        self.uncalled.discard(method["id"])
        assert 200 <= status < 300, text
        if "response" not in method:
            assert text == "", text
            return None
        answer = json.loads(text)
        self.check(method["response"]["$ref"], answer)
        return answer

    def check(self, schema, value):
        assert isinstance(value, dict), (schema, value)
        properties = self.document["schemas"][schema]["properties"]
        for key, member in value.items():
            self.check_property(schema + "." + key, properties[key], member)

    def check_property(self, where, form, value):
        kinds = {"string": str, "integer": int, "array": list, "object": dict}
        assert isinstance(value, kinds[form["type"]]), (where, value)
        assert value in form.get("enum", [value]), (where, value)
        if form["type"] == "array":
            for item in value:
                self.check(form["items"]["$ref"], item)


def main():
    client = Client(sys.argv[1])
    unit = {
        "name": "made.service",
        "desiredState": "launched",
        "options": [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1000"}],
    }
    client.call("Units", "Set", unit, unitName="made.service")
    shown = client.call("Units", "Get", unitName="made.service")
    assert shown["options"] == unit["options"], shown
    assert [u["name"] for u in client.call("Units", "List")["units"]] == ["made.service"]
    assert client.call("UnitState", "Get", unitName="made.service")["name"] == "made.service"
    client.call("UnitState", "List", unitName="made.service", machineID="none")
    assert len(client.call("Machines", "List")["machines"]) == 1
    client.call("Units", "Delete", unitName="made.service")
    assert client.call("Units", "List") == {}
    assert not client.uncalled, client.uncalled


main()
