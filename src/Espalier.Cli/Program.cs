using System.Text;
using Espalier.Cli;

// Text is UTF-8 whatever the locale says; damaged input is noticed rather than replaced.
Console.InputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return Commands.Run(args);
