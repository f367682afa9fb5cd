/** Names that become those of folders: nothing that would leave the folder above or need quotes in a shell. */
import { z } from 'zod';

export const folderName = z.string().regex(/^(?!\.{1,2}$)[\w.-]+$/, 'expected letters, digits, . _ -, and not . or .. alone');
