#!/bin/sh
# Builds a kube-apiserver for `npm run test:cluster` from the Go modules of Kubernetes, in a small module of its own outside
# of this repository. It needs go, a few gigabytes of disk and, on two cores, half an hour or more.
#   test/cluster/build-apiserver.sh [FOLDER]
#   KUBE_APISERVER=FOLDER/kube-apiserver npm run test:cluster
set -eu
kubernetes=1.36.3
staging=0.36.3
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/sidegate/kube-apiserver-$kubernetes}
mkdir -p "$folder" && cd "$folder"
printf 'module apiserver\n\ngo 1.26\n\nrequire k8s.io/kubernetes v%s\n\n' $kubernetes > go.mod
# Kubernetes replaces its own parts by folders of its repository; as modules they are published beside it.
module=$(go mod download -json k8s.io/kubernetes@v$kubernetes | sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",*$/\1/p')
sed -n 's#^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging.*#\1#p' "$module" | while read -r part; do
  printf 'replace %s => %s v%s\n' "$part" "$part" $staging >> go.mod
done
cat > main.go <<'GO'
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
GO
export GOFLAGS=-mod=mod
go mod tidy
# Clients ask for its version, helm among them.
version=k8s.io/component-base/version
go build -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=36" -o kube-apiserver .
echo "$folder/kube-apiserver"
