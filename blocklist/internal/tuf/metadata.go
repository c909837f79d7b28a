package tuf

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Header contains the fields that all roles have in the signed part.
type Header struct {
	Type        string    `json:"_type"`
	SpecVersion string    `json:"spec_version"`
	Version     int64     `json:"version"`
	Expires     time.Time `json:"expires"`
}

func (h *Header) header() *Header { return h }

// NewHeader returns the header of a new document. Expires is truncated to whole seconds.
func NewHeader(role string, version int64, expires time.Time) Header {
	return Header{Type: role, SpecVersion: SpecVersion, Version: version, Expires: expires.UTC().Truncate(time.Second)}
}

// RootFields are the signed part of a root (4.3).
type RootFields struct {
	Header

	ConsistentSnapshot bool                    `json:"consistent_snapshot"`
	Keys               map[string]Object[Key]  `json:"keys"`
	Roles              map[string]Object[Role] `json:"roles"`
}

// IndexFields are the signed part of a timestamp (4.6) or a snapshot (4.4). Both reference the newest documents of
// other roles.
type IndexFields struct {
	Header

	Meta map[string]Object[Reference] `json:"meta"`
}

// TargetsFields are the signed part of a targets document (4.5).
type TargetsFields struct {
	Header

	Targets     map[string]Object[Target] `json:"targets"`
	Delegations *Object[Delegations]      `json:"delegations,omitempty"`
}

// Key is a public key.
type Key struct {
	Type   string           `json:"keytype"`
	Value  Object[KeyValue] `json:"keyval"`
	Scheme string           `json:"scheme"`
}

// KeyValue is the key material of a public key.
type KeyValue struct {
	Public string `json:"public"` // the key in hexadecimal
}

// Role is the set of keys that may sign for a role, and the threshold of signatures.
type Role struct {
	KeyIDs    []string `json:"keyids"`
	Threshold int      `json:"threshold"`
}

// Signature is a signature with the identifier of its key.
type Signature struct {
	KeyID string   `json:"keyid"`
	Bytes HexBytes `json:"sig"`
}

// Reference is a reference to a version of another document, with its length and hashes, if given.
type Reference struct {
	Hashes  map[string]HexBytes `json:"hashes,omitempty"` // hashes of the document by algorithm
	Length  int64               `json:"length,omitempty"` // in bytes; 0: not given
	Version int64               `json:"version"`
}

// Target describes a file.
type Target struct {
	Custom json.RawMessage     `json:"custom,omitempty"`
	Hashes map[string]HexBytes `json:"hashes"` // hashes of the file by algorithm
	Length int64               `json:"length"` // in bytes
}

func (t *Target) check() error {
	if len(t.Hashes) == 0 {
		return errors.New("a target has no hashes")
	}
	return nil
}

// Delegations delegate targets to other keys. Argine follows none; they are parsed to check their form as TUF requires.
type Delegations struct {
	Keys          map[string]Object[Key]  `json:"keys"`
	Roles         []Object[DelegatedRole] `json:"roles,omitzero"`
	SuccinctRoles *Object[SuccinctRoles]  `json:"succinct_roles,omitempty"`
}

// check drops SuccinctRoles if there are Roles, since a document may have only one of the two. It never fails.
func (d *Delegations) check() error { //nolint:unparam // others can fail
	if d.Roles != nil {
		d.SuccinctRoles = nil
	}
	return nil
}

// DelegatedRole is a role that targets are delegated to.
type DelegatedRole struct {
	Name             string   `json:"name"`
	KeyIDs           []string `json:"keyids"`
	Threshold        int      `json:"threshold"`
	Terminating      bool     `json:"terminating"`
	PathHashPrefixes []string `json:"path_hash_prefixes,omitzero"`
	Paths            []string `json:"paths,omitzero"`
}

func (r *DelegatedRole) check() error {
	if r.Paths != nil && r.PathHashPrefixes != nil {
		return errors.New("a delegated role has both paths and path_hash_prefixes")
	}
	return nil
}

// SuccinctRoles are hashed bins that targets are delegated to.
type SuccinctRoles struct {
	KeyIDs     []string `json:"keyids"`
	Threshold  int      `json:"threshold"`
	BitLength  int      `json:"bit_length"`
	NamePrefix string   `json:"name_prefix"`
}

func (r *SuccinctRoles) check() error {
	if r.BitLength < 1 || r.BitLength > 32 {
		return fmt.Errorf("bit_length %d: it must be 1 to 32", r.BitLength)
	}
	return nil
}

// HexBytes are bytes that JSON encodes as hexadecimal digits.
type HexBytes []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (h *HexBytes) UnmarshalJSON(b []byte) (err error) {
	if len(b) < 2 || b[0] != '"' {
		return errors.New("hexadecimal digits are needed")
	}
	*h, err = hex.DecodeString(string(b[1 : len(b)-1]))
	return err
}

// MarshalJSON implements [json.Marshaler].
func (h HexBytes) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }
