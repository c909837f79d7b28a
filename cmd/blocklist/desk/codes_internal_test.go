package desk

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two terminals may use one code at a time: the race detector sees what they share.
func TestCodeOfTwoTerminals(t *testing.T) {
	t.Parallel()
	var all codes
	made := all.add(code{what: "serial 1", author: "carla"})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://desk.example/", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+made.Text)
	var terminals sync.WaitGroup
	found := make(chan *code, 2)
	for range 2 {
		one, err := all.find(r)
		require.NoError(t, err)
		found <- one
	}
	for range 2 {
		terminals.Go(func() {
			one := <-found
			assert.False(t, one.isFor(nil))
			assert.Equal(t, "serial 1", one.what)
			all.use(one, "anna")
		})
	}
	terminals.Wait()
	_, err = all.find(r)
	require.ErrorContains(t, err, "it works once")
	used, err := all.of(made.ID, "carla")
	require.NoError(t, err)
	assert.Equal(t, "anna", used.Signer)
}
