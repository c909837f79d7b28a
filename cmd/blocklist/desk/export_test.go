package desk

// Counting has the desk count the pages of the list until the function that it returns is called.
func (d *Desk) Counting() (done func()) {
	f := &filling[counted]{done: make(chan struct{})}
	d.takedowns.mu.Lock()
	defer d.takedowns.mu.Unlock()
	d.takedowns.now = f
	return func() {
		d.takedowns.mu.Lock()
		defer d.takedowns.mu.Unlock()
		d.takedowns.now = nil
		close(f.done)
	}
}
