//! Every way to combine Kubernetes objects: patches and server-side apply.
