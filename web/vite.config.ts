import { resolve } from 'node:path'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const here = import.meta.dirname

export default defineConfig({
  root: here,
  // The server knows where the app lies and writes it into the page; chunks find each other by themselves.
  base: './',
  plugins: [react(), tailwindcss()],
  resolve: { alias: [{ find: /^geppetto\/(\w+)$/, replacement: resolve(here, '../src/$1/index.ts') }] },
  // While it is written, the app is served from its source, and the rest by a server beside it.
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
  build: {
    outDir: resolve(here, '../dist/web'),
    emptyOutDir: true,
    target: 'chrome123',
    // Preloading by script would be a second opinion on what to load first.
    modulePreload: { polyfill: false },
    // An image in a style sheet would be a data URL, which the policy allows for what users attach.
    assetsInlineLimit: 0,
  },
})
