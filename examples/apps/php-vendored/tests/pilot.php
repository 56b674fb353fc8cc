<?php

require __DIR__ . '/../vendor/autoload.php';

if (Harbour\Pilot::boards('Tay') !== 'The pilot boards the Tay') {
    fwrite(STDERR, "the pilot does not board the Tay\n");
    exit(1);
}
