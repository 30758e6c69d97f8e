using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Espalier.Cli")]
[assembly: InternalsVisibleTo("Espalier.Tests")]
