import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { isGeppettoError } from '../../src/errors.ts'
import { startTheme } from './design/theme.ts'
import './design/tokens.css'
import { router } from './router.tsx'
import { ClientProvider, openClient } from './session/client.tsx'

startTheme()
const client = openClient()
const attempts = 3
// What the server refuses is not asked for again.
const retry = (failures: number, error: unknown) => failures < attempts && isGeppettoError(error, 'SERVER_UNREACHABLE')
const queries = new QueryClient({ defaultOptions: { queries: { retry } } })
const root = document.querySelector('#app')
if (root === null) throw new Error('index.html has no #app')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <ClientProvider client={client}>
        <RouterProvider router={router} />
      </ClientProvider>
    </QueryClientProvider>
  </StrictMode>,
)
