package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/nearest"
)

func TestName(t *testing.T) {
	t.Parallel()
	known := []string{"listen", "lists", "log", "upstream", "max_growth", "add", "due", "t"}
	for given, want := range map[string]string{
		"upstreams": "upstream", "Upstream": "upstream", "upstraem": "upstream", "max-growth": "max_growth",
		"ad": "add", "lisst": "lists", "upstream_servers": "upstream", "ups": "upstream",
		"dig": "", "x": "", "colour": "", "": "", "to": "t", "up": "", "tonight": "",
	} {
		assert.Equal(t, want, nearest.Name(given, known), given)
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	known := []string{"xn--bcher-kva.example", "ab.example", "a.example"}
	assert.Equal(t, "ab.example", nearest.Word("abb.example", known))
	assert.Equal(t, "ab.example", nearest.Word("ba.example", known), "swapped")
	assert.Empty(t, nearest.Word("a", known), "no prefix counts")
	assert.Empty(t, nearest.Word("ab.example.com.example", known))
}

func TestHint(t *testing.T) {
	t.Parallel()
	known := []string{"show", "check"}
	assert.Equal(t, "do you mean show?", nearest.Hint("shwo", known))
	assert.Equal(t, "there are show, check", nearest.Hint("foo", known))
}
