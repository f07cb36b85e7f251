import { Button, Modal, PasswordInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { apiKey, setApiKey } from "../api/client";

export default function ApiKeyDialog({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [key, setKey] = useState("");
  const refused = apiKey() !== null;
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    setApiKey(key.trim());
    close();
    void client.resetQueries();
  };
  return (
    <Modal opened onClose={close} title="API key" size="sm" closeButtonProps={{ "aria-label": "Close" }}>
      <form onSubmit={submit} style={{ display: "grid", gap: 12 }}>
        <p>
          {refused
            ? "The server does not know the key that this browser keeps."
            : "This server asks for a key."}{" "}
          Keys are set in its configuration under <code>auth</code>. It is kept in this browser only.
        </p>
        <PasswordInput
          label="Key"
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          autoComplete="current-password"
          data-autofocus
        />
        <Button type="submit" disabled={key.trim() === ""}>
          Continue
        </Button>
      </form>
    </Modal>
  );
}
