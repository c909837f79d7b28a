package rpz

import (
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"io"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// zonemd returns the data of the ZONEMD record of a serial (RFC 8976, section 2.2).
func zonemd(serial uint32, digest []byte) data {
	head := append(binary.BigEndian.AppendUint32(nil, serial), dns.ZoneMDSchemeSimple, dns.ZoneMDHashAlgSHA384)
	return newData(dns.TypeZONEMD, ttl, string(head)+string(digest))
}

// digest computes the digest of the zone: the SHA-384 of its records in canonical form and order, without the ZONEMD
// record (RFC 8976, section 3.3; RFC 4034, section 6).
func (s *snapshot) digest() (err error) {
	all := &sorter{dir: s.dir}
	defer func() { err = errors.Join(err, all.close()) }()
	if err := s.sortRecords(all); err != nil {
		return err
	}
	records, err := all.sorted()
	if err != nil {
		return err
	}
	hash := sha512.New384()
	var wire []byte
	for {
		it, err := records.next()
		if errors.Is(err, io.EOF) {
			s.Digest = hash.Sum(nil)
			return nil
		}
		if err != nil {
			return err
		}
		key, record := splitRecord(it)
		wire = append(append(appendOwner(wire[:0], key), 0), record...)
		hash.Write(wire)
	}
}

// sortRecords adds all records of the zone to a sorter. The order of a walk differs from the canonical order only for
// addresses, and for some names beside a wildcard.
func (s *snapshot) sortRecords(all *sorter) error {
	zone, err := blocklist.ParseName(s.Zone)
	if err != nil {
		return err
	}
	s.Digest = nil
	for _, d := range s.top() {
		if err := all.add(appendRecordItem(nil, []byte(zone), d)); err != nil {
			return err
		}
	}
	var wire, buf []byte
	for walk := s.walk(); ; {
		o, err := walk.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		wire = appendRecord(wire[:0], o, nil)
		wire = append(wire[:len(wire)-len(toZone)], zone...)
		for _, d := range s.Verdicts[o.verdict].Records {
			buf = appendRecordItem(buf[:0], wire, d)
			if err := all.add(buf); err != nil {
				return err
			}
		}
	}
}

// appendRecordItem appends a record as an item that sorts in canonical order. It consists of the key of its owner, the
// record, and a tail with the length of the key. All records with the same owner and type must have data of the same
// length.
func appendRecordItem(dst, owner []byte, d data) item {
	dst = appendNameKey(dst, owner)
	length := uint16(len(dst))
	dst = append(append(dst, d...), 0, 0, 0, 0)
	return binary.BigEndian.AppendUint16(append(dst, 0, 0), length)
}

// splitRecord returns the owner's key and the record of an item made by appendRecordItem.
func splitRecord(it item) (key []byte, record data) {
	n := binary.BigEndian.Uint16(it[len(it)-2:])
	return it[:n], data(it[n : len(it)-tailSize])
}
