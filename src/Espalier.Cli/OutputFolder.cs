using System.CommandLine;
using System.Globalization;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

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

    /// <summary>The folder that a command line names, before any work is done for it.</summary>
    /// <exception cref="UserErrorException">There is something in its place.</exception>
    public string Of(ParseResult parsed)
    {
        string folder = parsed.GetValue(this)!;
        return File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            ? throw new UserErrorException(
                $"{folder} is not empty: it is left as it is.", "Name a new folder, or delete this one first.")
            : folder;
    }

    /// <summary>Writes a model, and says so.</summary>
    /// <inheritdoc cref="ModelFolder.Write"/>
    public static void Write(
        string folder, ModelConfig model, ParameterSet parameters, Tokenizer tokenizer,
        IReadOnlyDictionary<string, Tensor> extras, SafetensorsDType type)
    {
        AtomicFolder.Write(
            folder,
            partial => ModelFolder.Write(partial, model, parameters, tokenizer, extras, type),
            replace: false,
            "The model",
            "Free some space, or choose a folder that you may write to.");
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {model.Layers} layers, {parameters.ElementCount:N0} parameters in {type.Name().ToLowerInvariant()}, " +
            $"a tokenizer of {tokenizer.VocabularySize:N0} tokens."));
    }
}
