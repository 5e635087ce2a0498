package backup

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
)

// prune removes snapshots that have no manifest, all but the newest keep others, and the blobs that no snapshot needs.
// It returns how many snapshots it removed.
func prune(ctx context.Context, p place, keep int) (int, error) {
	parts, whole := map[string][]string{}, []string{}
	err := p.list(ctx, snapshotsDir, func(name string, _ int64) error {
		snapshot, part, ok := strings.Cut(strings.TrimPrefix(name, snapshotsDir), "/")
		if !ok {
			return nil
		}
		parts[snapshot] = append(parts[snapshot], name)
		if strings.TrimSuffix(part, sealedEnd) == manifestName {
			whole = append(whole, snapshot)
		}
		return nil
	})
	if err != nil || keep < 1 {
		return 0, err
	}
	slices.Sort(whole)
	kept := whole[max(0, len(whole)-keep):]
	needed, err := indexes(ctx, p, kept)
	if err != nil {
		return 0, err
	}
	removed := 0
	for snapshot, names := range parts {
		if slices.Contains(kept, snapshot) {
			continue
		}
		// The manifest goes first: what has none is no backup.
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(rankOf(a)+a, rankOf(b)+b) })
		for _, name := range names {
			if err := p.remove(ctx, name); err != nil {
				return removed, err
			}
		}
		removed++
	}
	var surplus []string
	err = p.list(ctx, blobsDir, func(name string, _ int64) error {
		if id := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], sealedEnd); !needed[id] {
			surplus = append(surplus, name)
		}
		return nil
	})
	for _, name := range surplus {
		if err == nil {
			err = p.remove(ctx, name)
		}
	}
	return removed, err
}

func rankOf(name string) string {
	if strings.HasSuffix(strings.TrimSuffix(name, sealedEnd), "/"+manifestName) {
		return "0"
	}
	return "1"
}

// indexes reads which blobs snapshots need.
func indexes(ctx context.Context, p place, snapshots []string) (map[string]bool, error) {
	needed := map[string]bool{}
	for _, s := range snapshots {
		in, err := p.get(ctx, snapshotsDir+s+"/"+indexName)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, err
		}
		for id := range strings.Lines(string(text)) {
			needed[strings.TrimSpace(id)] = true
		}
	}
	return needed, nil
}
