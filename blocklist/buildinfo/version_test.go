package buildinfo

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOf(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{
		GoVersion: "go1.26.0", Main: debug.Module{Path: module, Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-11-01T10:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	assert.Equal(t, Build{"v1.2.3", "0123abc+changed", "2026-11-01T10:00:00Z", "go1.26.0"}, of(info))
	assert.Equal(t, "v1.2.3 commit 0123abc+changed of 2026-11-01T10:00:00Z built with go1.26.0", of(info).String())

	info.Main = debug.Module{Path: "isp.example/resolver", Version: "v9.9.9"}
	info.Deps = []*debug.Module{{Path: module, Version: "v1.2.3"}}
	assert.Equal(t, "v1.2.3 built with go1.26.0", of(info).String(), "the commit is another program's")

	assert.Contains(t, Text(), "\nformats: argine-release 1, argine-receipt 1")
}
