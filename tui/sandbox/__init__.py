"""The embedded cluster: a small Kubernetes whose pods are processes of this machine. It imports nothing of the rest.

kubectl, helm, statetui ──HTTP──▶ server ─▶ registry ─▶ store ──changes──▶ controllers, kubelet ──▶ registry
"""
