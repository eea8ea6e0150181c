// The client: follows sessions of a server through drops, reloads and sleeps, and gives it commands. Browsers and Node.
export {}
