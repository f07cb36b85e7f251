import { Modal } from "@mantine/core";

import { SHORTCUTS } from "./keys";

export default function Help({ close }: { close: () => void }) {
  return (
    <Modal opened onClose={close} title="Keyboard" size={820} closeButtonProps={{ "aria-label": "Close" }}>
      <div className="grid three" style={{ gap: 24 }}>
        {SHORTCUTS.map((section) => (
          <section key={section.group}>
            <h3 style={{ marginBottom: 8 }}>{section.group}</h3>
            {section.keys.map((entry) => (
              <div key={entry.keys} className="row spread" style={{ padding: "3px 0" }}>
                <span className="dim">{entry.does}</span>
                <span className="row tight">
                  {entry.keys
                    .split(" ")
                    .filter(Boolean)
                    .map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                </span>
              </div>
            ))}
          </section>
        ))}
      </div>
      <p className="dim" style={{ marginTop: 16 }}>
        Drag over any chart to look closer. Every view is in the address: copy it to share what you see.
      </p>
    </Modal>
  );
}
