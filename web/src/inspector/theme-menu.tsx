import { IconButton } from '../design/button.tsx'
import { Menu, MenuChoices, type Choice } from '../design/menu.tsx'
import { useTheme, type Theme } from '../design/theme.ts'

const themes: readonly Choice<Theme>[] = [
  { value: 'system', label: 'As the system has it' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
]

export function ThemeMenu() {
  const [theme, choose] = useTheme()
  return (
    <Menu
      trigger={<IconButton icon={theme === 'dark' ? 'moon' : theme === 'light' ? 'sun' : 'system'} label="Theme" />}
    >
      <MenuChoices value={theme} choices={themes} onChoose={choose} />
    </Menu>
  )
}
