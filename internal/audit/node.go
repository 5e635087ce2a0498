package audit

import (
	"context"
	"encoding/json"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/store"
	"github.com/sallyport-sftp/sallyport/model"
)

// configSetting holds the configuration of the last start.
const configSetting = "config"

const nodeActor = "system:node"

// Started writes the row of a server's start. In the same transaction it writes a row with the
// settings that changed since the last start. settings maps names to values, without secrets;
// difference returns what changed.
func (r *Service) Started(ctx context.Context, node, version string, settings map[string]string,
	difference func(was, is map[string]string) map[string]string) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return fault.Wrap("audit.Started", fault.Internal, err)
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		was, err := tx.Setting(configSetting)
		if err != nil {
			return err
		}
		if string(text) != was {
			if err := tx.SetSetting(configSetting, string(text)); err != nil {
				return err
			}
		}
		if was != "" && string(text) != was {
			before := map[string]string{}
			_ = json.Unmarshal([]byte(was), &before) // an unreadable value is another release's: all settings count as new
			if err := r.write(tx, model.AuditRow{Actor: nodeActor, Action: "config.change", Subject: node,
				Detail: difference(before, settings)}); err != nil {
				return err
			}
		}
		return r.write(tx, model.AuditRow{Actor: nodeActor, Action: "server.start", Subject: node,
			Detail: map[string]string{"version": version}})
	})
}

// Reloaded writes a row with the settings that somebody changed in the running server, and keeps them for the next
// start. settings and difference are as with Started.
func (r *Service) Reloaded(ctx context.Context, who, node string, settings map[string]string,
	difference func(was, is map[string]string) map[string]string) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return fault.Wrap("audit.Reloaded", fault.Internal, err)
	}
	return r.o.Store.Write(ctx, func(tx *store.Tx) error {
		was, err := tx.Setting(configSetting)
		if err != nil || was == string(text) {
			return err
		}
		before := map[string]string{}
		_ = json.Unmarshal([]byte(was), &before) // Started wrote it
		if err := tx.SetSetting(configSetting, string(text)); err != nil {
			return err
		}
		return r.write(tx, model.AuditRow{Actor: who, Action: "config.change", Subject: node,
			Detail: difference(before, settings)})
	})
}

// Stopped writes the row of a server's stop.
func (r *Service) Stopped(ctx context.Context, node, version string) error {
	return r.Note(ctx, model.AuditRow{Actor: nodeActor, Action: "server.stop", Subject: node,
		Detail: map[string]string{"version": version}})
}
