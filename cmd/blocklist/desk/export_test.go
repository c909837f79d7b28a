package desk

import "github.com/argine-dns/argine/blocklist/publish/takedown"

// Counting has the desk count the pages of the list until the function that it returns is called.
func (d *Desk) Counting() (done func()) {
	f := &filling[[]takedown.PlatformStatus]{done: make(chan struct{})}
	d.takedowns.now = f
	return func() {
		d.takedowns.mu.Lock()
		defer d.takedowns.mu.Unlock()
		d.takedowns.now = nil
		close(f.done)
	}
}
