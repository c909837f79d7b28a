package tuf

// What the oracle's tests need.
var CanonicalJSON = canonicalJSON

func CheckStrict(b []byte) error {
	_, err := decodeStrict(b)
	return err
}
