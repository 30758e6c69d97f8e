using System.Text;
using Espalier.Cli;

// Text is UTF-8 whatever the locale says; damaged input is noticed rather than replaced.
Console.InputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
Console.SetOut(new SafeWriter(Console.Out, "stdout", mayBeLost: false));
Console.SetError(new SafeWriter(Console.Error, "stderr", mayBeLost: true));
return Commands.Run(args);
