using System.CommandLine;
using System.Globalization;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>--out</c> of the verbs that write a model: a new folder, or an empty one.</summary>
internal sealed class OutputFolder : Option<string>
{
    public OutputFolder()
        : base("--out")
    {
        Description = "The folder to write: a new one, or an empty one.";
        HelpName = "DIR";
        Required = true;
    }

    /// <summary>The folder that a command line names, before any work is done for it; null where it names none.</summary>
    /// <exception cref="UserErrorException">There is something in its place, or it cannot be written.</exception>
    public string? Of(ParseResult parsed)
    {
        string? folder = parsed.GetValue(this);
        if (folder is not null)
        {
            ModelExport.RequireNew(folder);
        }

        return folder;
    }

    /// <summary>Says what was written.</summary>
    public static void SayWritten(string folder, Model model, Tokenizer tokenizer, SafetensorsDType type) =>
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {model.Config.Layers} layers, {model.Parameters.ElementCount:N0} parameters in " +
            $"{type.Name().ToLowerInvariant()}, a tokenizer of {tokenizer.VocabularySize:N0} tokens."));
}
