package guard

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/argine-dns/argine/blocklist"
)

// builtInText is the file protected.txt.
//
//go:embed protected.txt
var builtInText string

// BuiltIn returns the protected entries that every guard has unless [Limits].NoBuiltIn is set: platforms, content
// delivery, certificates, time, updates, and names of the DNS itself. They are in the file protected.txt of this
// package, each with its reason. After each host entry, the result also has an entry for the host's www name. The
// caller must not change the slice.
func BuiltIn() []blocklist.Entry { return builtInEntries() }

var builtInEntries = sync.OnceValue(func() (all []blocklist.Entry) { //nolint:gochecknoglobals // read once
	entries, err := ReadProtected(strings.NewReader(builtInText))
	if err != nil {
		panic(err) // can't happen: the tests read the file
	}
	for _, e := range entries {
		all = append(all, e)
		if e.Scope != blocklist.ScopeHost {
			continue
		}
		name, _ := e.Name()
		site := blocklist.HostEntry(www + name)
		site.Attributes = e.Attributes
		all = append(all, site)
	}
	return all
})

// builtInIndex is the index of [BuiltIn], which all guards share.
var builtInIndex = sync.OnceValue(func() protected { //nolint:gochecknoglobals // made once
	p, err := newProtected(BuiltIn())
	if err != nil {
		panic(err) // can't happen, as above
	}
	return p
})
