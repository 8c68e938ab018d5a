"""Holds the manifests that are named against the schemas of Kubernetes, and fails on one that does not fit.

Objects of others (monitoring.coreos.com) have no schema there and are only read.
"""

import sys

import kubernetes_validate
import yaml

kinds = []
for path in sys.argv[1:]:
    with open(path) as file:
        for document in yaml.safe_load_all(file):
            kinds.append(document["kind"])
            if not document["apiVersion"].startswith("monitoring.coreos.com/"):
                kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
print(" ".join(sorted(kinds)))
