package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// maxKeysOfOthers limits the number of remembered key files that are encrypted to other subscribers.
const maxKeysOfOthers = 16

var errNoIdentity = fmt.Errorf("the list is confidential: %w: name the file with your identity (identity: in dnsfilter.yaml, --identity of blocklist pull)", blocklist.ErrNoKey)

// knownKey returns the key of a confidential list if it is already known, or nil.
func (s *Subscription) knownKey(spec trust.TargetsSpec) trust.ListKey {
	for _, key := range []trust.ListKey{s.newestMetadata().Key, s.held.Metadata.Key} {
		if key != nil && key.ID(spec.List) == spec.KeyID {
			return key
		}
	}
	return nil
}

// listKey returns the key of a confidential list: the known key if it is still in use, or else the key from a key
// file that is encrypted to this subscriber. It fails with [blocklist.ErrNoKey] if there is no such file. For a list
// that is not confidential, the key is nil.
func (s *Subscription) listKey(ctx context.Context, o *fetch.Origin, spec trust.TargetsSpec) (trust.ListKey, error) {
	if key := s.knownKey(spec); key != nil || !spec.Confidential() {
		return key, nil
	}
	if len(s.identities) == 0 {
		return nil, errNoIdentity
	}
	var all error
	for _, kind := range s.identities.Kinds() {
		f, ok := spec.KeyFile(kind)
		if !ok || s.keysOfOthers[string(f.SHA256)] {
			continue
		}
		key, err := s.fetchKey(ctx, o, f)
		switch {
		case errors.Is(err, blocklist.ErrNoKey):
			s.noteKeyOfOthers(f)
		case err == nil && key.ID(spec.List) != spec.KeyID:
			all = errors.Join(all, fmt.Errorf("%s: %w: the key in it is not the one that was signed", f.Path,
				blocklist.ErrUntrusted))
		case err == nil:
			return key, nil
		default:
			all = errors.Join(all, err)
		}
	}
	if all != nil {
		return nil, all
	}
	if s.held.Metadata.Key != nil {
		return nil, fmt.Errorf("the list has a new key: %w: this identity is no longer that of a subscriber; ask the agency",
			blocklist.ErrNoKey)
	}
	return nil, fmt.Errorf("the list is confidential: %w: this identity is not that of a subscriber; give its recipient to the agency, for blocklist subscriber add", blocklist.ErrNoKey)
}

// fetchKey fetches a key file, checks its hash, and decrypts it.
func (s *Subscription) fetchKey(ctx context.Context, o *fetch.Origin, f trust.File) (trust.ListKey, error) {
	body, err := o.Open(ctx, f.URLPath())
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = errors.Join(trust.CopyFile(&file, body, f), body.Close())
	if err == nil {
		err = trust.CheckSealed(bytes.NewReader(file.Bytes()), f)
	}
	if err != nil {
		return nil, err
	}
	return s.identities.DecryptKey(file.Bytes())
}

// noteKeyOfOthers remembers a key file that is encrypted to other subscribers, so that it is not fetched at each
// poll.
func (s *Subscription) noteKeyOfOthers(f trust.File) {
	if len(s.keysOfOthers) >= maxKeysOfOthers {
		clear(s.keysOfOthers)
	}
	s.keysOfOthers[string(f.SHA256)] = true
}
